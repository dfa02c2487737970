revoke all on public.encryption from public, anon, authenticated;
grant select, delete on public.encryption to authenticated;
grant insert (key_id, enabled) on public.encryption to authenticated;
grant update (enabled) on public.encryption to authenticated;

grant insert (sealed) on public.archives to authenticated;
revoke execute on function public.encryption_before_write() from public, anon, authenticated;
