-- Projects, their archives (one row for each revision) and the sessions in which they are open.
--
-- The row of a project points at one archive; the pointer moves by compare-and-swap on `rev`. Objects are never changed:
-- each revision is an object of its own. Keys begin with the owner, so that nobody meets, blocks or guesses another's rows.

create table public.projects (
  user_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
  -- A DNS label: also the name of the microVM and of its host name.
  id text not null check (id ~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$'),
  name text not null check (char_length(name) between 1 and 80),
  template_type text check (char_length(template_type) <= 40),
  settings jsonb not null default '{}' check (pg_column_size(settings) < 65536),
  -- The current archive. The three columns after it are copies that the database makes, for lists without a join.
  archive_id uuid,
  archive_path text,
  archive_sha256 text,
  archive_bytes bigint,
  archived_at timestamptz,
  rev bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default clock_timestamp(),
  deleted_at timestamptz,
  primary key (user_id, id)
);
create index projects_changed on public.projects (user_id, updated_at, id);

create table public.archives (
  user_id uuid not null default auth.uid(),
  -- Made by the device from what the revision is, so that sending it twice is sending it once.
  id uuid not null,
  project_id text not null,
  parent_id uuid,
  -- Null on the main line; the name of the branch for a save that lost a race.
  branch text check (char_length(branch) between 1 and 120),
  device text not null check (char_length(device) between 1 and 120),
  path text not null,
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  bytes bigint not null check (bytes > 0),
  files integer not null check (files >= 0),
  content_bytes bigint not null check (content_bytes >= 0),
  reason text not null check (char_length(reason) <= 40),
  left_out jsonb not null default '[]',
  -- By the clock of the device; never used to decide what is newer.
  saved_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (user_id, id),
  unique (user_id, project_id, id),
  foreign key (user_id, project_id) references public.projects (user_id, id) on delete cascade,
  -- Nobody's row can name an object outside of its owner's folder, or another object than its hash says.
  constraint archives_path check (path = user_id::text || '/project-' || project_id || '.' || sha256 || '.zip')
);

-- Only an archive of the same project and owner can become current, and the current one cannot be removed.
alter table public.projects add constraint projects_archive foreign key (user_id, id, archive_id) references public.archives (user_id, project_id, id);

create table public.sessions (
  user_id uuid not null default auth.uid(),
  id uuid not null default gen_random_uuid(),
  project_id text not null,
  device_id uuid not null,
  -- The computer's name, for people.
  device text not null check (char_length(device) between 1 and 120),
  vm_id text check (char_length(vm_id) <= 80),
  host text check (char_length(host) <= 200),
  ip_address text check (char_length(ip_address) <= 60),
  status text not null default 'active' check (status in ('active', 'ended', 'taken-over', 'expired')),
  created_at timestamptz not null default clock_timestamp(),
  heartbeat_at timestamptz not null default clock_timestamp(),
  primary key (user_id, id),
  foreign key (user_id, project_id) references public.projects (user_id, id) on delete cascade
);
create unique index sessions_one_active on public.sessions (user_id, project_id) where status = 'active';

-- What the database alone decides ------------------------------------------------------------------------------------

create function public.projects_before_write() returns trigger language plpgsql set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    new.rev := 1;
  else
    new.rev := old.rev + 1;
    new.user_id := old.user_id;
    new.id := old.id;
    new.created_at := old.created_at;
  end if;
  new.updated_at := clock_timestamp();
  if new.archive_id is null then
    new.archive_path := null; new.archive_sha256 := null; new.archive_bytes := null; new.archived_at := null;
  elsif tg_op = 'INSERT' or new.archive_id is distinct from old.archive_id then
    select path, sha256, bytes, clock_timestamp() into new.archive_path, new.archive_sha256, new.archive_bytes, new.archived_at
      from public.archives where user_id = new.user_id and project_id = new.id and id = new.archive_id and branch is null;
    if not found then
      raise exception 'this archive cannot become current' using errcode = '23503';
    end if;
  end if;
  return new;
end $$;
create trigger projects_before_write before insert or update on public.projects for each row execute function public.projects_before_write();

-- A branch is news for the other devices, which ask for projects that changed.
create function public.archives_after_branch() returns trigger language plpgsql set search_path = '' as $$
begin
  update public.projects set name = name where user_id = new.user_id and id = new.project_id;
  return null;
end $$;
create trigger archives_after_branch after insert or update on public.archives for each row when (new.branch is not null) execute function public.archives_after_branch();

create function public.sessions_before_update() returns trigger language plpgsql set search_path = '' as $$
begin
  if old.status <> 'active' then
    raise exception 'this session has ended' using errcode = '23514';
  end if;
  new.heartbeat_at := clock_timestamp();
  return new;
end $$;
create trigger sessions_before_update before update on public.sessions for each row execute function public.sessions_before_update();

-- Takes the lease of a project for a device, or says who has it. A holder that was silent for three minutes (it speaks
-- every minute) has lost it. All times are the server's.
create function public.claim_session(p_project_id text, p_device_id uuid, p_device text, p_vm_id text, p_take_over boolean default false)
returns table (held boolean, session_id uuid, device text, since timestamptz) language plpgsql security invoker set search_path = '' as $$
declare
  me uuid := (select auth.uid());
  holder public.sessions%rowtype;
begin
  for attempt in 1..3 loop
    select * into holder from public.sessions s where s.user_id = me and s.project_id = p_project_id and s.status = 'active';
    if found and holder.device_id = p_device_id then
      update public.sessions s set status = 'active' where s.user_id = me and s.id = holder.id and s.status = 'active';
      if found then
        return query select true, holder.id, holder.device, holder.created_at;
        return;
      end if;
    elsif found and not p_take_over and holder.heartbeat_at > clock_timestamp() - interval '3 minutes' then
      return query select false, holder.id, holder.device, holder.created_at;
      return;
    else
      if found then
        update public.sessions s set status = case when p_take_over then 'taken-over' else 'expired' end
          where s.user_id = me and s.id = holder.id and s.status = 'active';
      end if;
      begin
        return query insert into public.sessions as s (project_id, device_id, device, vm_id) values (p_project_id, p_device_id, p_device, p_vm_id)
          returning true, s.id, s.device, s.created_at;
        return;
      exception when unique_violation then
        null; -- another device was faster: look again who it is
      end;
    end if;
  end loop;
  raise exception 'the lease changes hands too quickly' using errcode = '40001';
end $$;

-- Who may do what ----------------------------------------------------------------------------------------------------

alter table public.projects enable row level security;
alter table public.archives enable row level security;
alter table public.sessions enable row level security;

create policy "own projects" on public.projects for all to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy "own archives" on public.archives for all to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy "own sessions" on public.sessions for all to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
