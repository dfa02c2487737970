grant update (replaced_until) on public.archives to authenticated;
revoke execute on function public.allow_replacement(text) from public, anon;
grant execute on function public.allow_replacement(text) to authenticated;
