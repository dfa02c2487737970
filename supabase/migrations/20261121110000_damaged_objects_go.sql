-- An object that a revision names stays, but for one that the medium has damaged: its owner says so on the rows that name it, and may
-- then remove it for ten minutes to send the same content again.

alter table public.archives add column replaced_until timestamptz;

create function public.allow_replacement(p_path text) returns integer language plpgsql security invoker set search_path = '' as $$
declare
  rows integer;
begin
  update public.archives set replaced_until = now() + interval '10 minutes' where user_id = (select auth.uid()) and path = p_path;
  get diagnostics rows = row_count;
  return rows;
end $$;

drop policy "own objects are removed" on storage.objects;
create policy "own objects are removed" on storage.objects for delete to authenticated
  using (bucket_id = 'user-projects' and (storage.foldername(name))[1] = (select auth.uid())::text
    and not exists (select from public.archives a where a.user_id = (select auth.uid()) and a.path = name and coalesce(a.replaced_until, '-infinity') < now()));
