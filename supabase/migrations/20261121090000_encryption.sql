-- Archives that only their owner can read: what is encrypted of a revision's row, and the name of the account's key. The key itself is
-- never here. A row with `sealed` tells of its ciphertext in all other columns.

alter table public.archives add column sealed text check (sealed ~ '^v1[.][0-9a-f]{32}[.]');

create table public.encryption (
  user_id uuid primary key default auth.uid() references auth.users (id) on delete cascade,
  key_id text not null check (key_id ~ '^[0-9a-f]{32}$'),
  enabled boolean not null,
  rev bigint not null default 1,
  updated_at timestamptz not null default clock_timestamp()
);

create function public.encryption_before_write() returns trigger language plpgsql set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    new.rev := 1;
  else
    new.rev := old.rev + 1;
    new.user_id := old.user_id;
    new.key_id := old.key_id;
  end if;
  new.updated_at := clock_timestamp();
  return new;
end $$;
create trigger encryption_before_write before insert or update on public.encryption for each row execute function public.encryption_before_write();

alter table public.encryption enable row level security;
create policy "own encryption" on public.encryption for all to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
