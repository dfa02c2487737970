-- Row level security does not stop TRUNCATE, nor a hand-made `rev`: only the columns a device has to write can be written.

revoke all on public.projects, public.archives, public.sessions from public, anon, authenticated;

grant select, delete on public.projects to authenticated;
grant insert (id, name, template_type, settings, created_at) on public.projects to authenticated;
grant update (name, template_type, settings, archive_id, deleted_at) on public.projects to authenticated;

grant select, delete on public.archives to authenticated;
grant insert (id, project_id, parent_id, branch, device, path, sha256, bytes, files, content_bytes, reason, left_out, saved_at) on public.archives to authenticated;
grant update (branch) on public.archives to authenticated;

grant select on public.sessions to authenticated;
grant insert (project_id, device_id, device, vm_id, host, ip_address) on public.sessions to authenticated;
grant update (status, vm_id, host, ip_address) on public.sessions to authenticated;

revoke execute on function public.claim_session(text, uuid, text, text, boolean) from public, anon;
grant execute on function public.claim_session(text, uuid, text, text, boolean) to authenticated;
revoke execute on function public.projects_before_write(), public.archives_after_branch(), public.sessions_before_update() from public, anon, authenticated;
