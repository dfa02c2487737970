-- An object that a revision names cannot be removed, not even by its owner: first the row goes, then the object. So whoever sweeps what
-- was left behind and whoever records a revision at the same moment cannot leave a row without its object.

drop policy "own objects are removed" on storage.objects;
create policy "own objects are removed" on storage.objects for delete to authenticated
  using (bucket_id = 'user-projects' and (storage.foldername(name))[1] = (select auth.uid())::text
    and not exists (select from public.archives a where a.user_id = (select auth.uid()) and a.path = name));
create index archives_by_path on public.archives (user_id, path);
