-- The bucket of archives: private, zips only, each object in the folder of its owner. There is no policy for UPDATE:
-- an object is written once and removed once, never overwritten or moved, not even by its owner.

insert into storage.buckets (id, name, public, allowed_mime_types) values ('user-projects', 'user-projects', false, array['application/zip'])
on conflict (id) do update set public = false, allowed_mime_types = excluded.allowed_mime_types;

create policy "own objects are seen" on storage.objects for select to authenticated
  using (bucket_id = 'user-projects' and (storage.foldername(name))[1] = (select auth.uid())::text);
create policy "own objects are added" on storage.objects for insert to authenticated
  with check (bucket_id = 'user-projects' and (storage.foldername(name))[1] = (select auth.uid())::text
    and name ~ '^[0-9a-f-]{36}/project-[a-z0-9-]{1,40}[.][0-9a-f]{64}[.]zip$');
create policy "own objects are removed" on storage.objects for delete to authenticated
  using (bucket_id = 'user-projects' and (storage.foldername(name))[1] = (select auth.uid())::text);
