grant insert (proof) on public.encryption to authenticated;
grant update (proof) on public.encryption to authenticated;
