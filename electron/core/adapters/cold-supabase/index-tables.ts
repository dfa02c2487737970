import type { SupabaseClient } from '@supabase/supabase-js';
import { VesselError } from '#shared/errors.ts';
import type { RemoteArchive, RemoteIndex, RemoteLease, RemoteProject } from '../../ports/remote-store.ts';
import type { Database, Json } from './database.types.ts';
import { linkError, meaning } from './failures.ts';
import type { SupabaseSession } from './session.ts';

type ProjectRow = Database['public']['Tables']['projects']['Row'];
type ArchiveRow = Database['public']['Tables']['archives']['Row'];
type Reply<T> = { readonly data: T | null; readonly error: { readonly message: string; readonly code?: string } | null; readonly status: number };

/** What a device is called towards the others. */
export type Device = { readonly id: string; readonly name: string };

/** Rows are small; longer than this is no network. */
const TIMEOUT_MS = 20_000;
/** PostgREST gives no more at once. */
const PAGE = 1000;
/** Ids stand in the address, whose length has an end. */
const IDS_AT_ONCE = 100;
/** Commits may become visible in another order than their times; re-reading this much finds the late ones. */
const OVERLAP_MS = 30_000;
const UNIQUE_VIOLATION = '23505';
const FOREIGN_KEY_VIOLATION = '23503';
/** PostgREST and PostgreSQL, for a table that is not there. */
const NO_TABLE: readonly string[] = ['PGRST205', '42P01'];
/** The same for a column. */
const NO_COLUMN: readonly string[] = ['PGRST204', '42703'];
const COLUMNS = 'id, name, template_type, settings, archive_id, rev, created_at, updated_at, deleted_at';

/** Projects, revisions and leases as rows behind PostgREST; the policies let everybody see only their own. */
export function makeSupabaseIndex(session: SupabaseSession, device: Device): RemoteIndex {
  let connected: Promise<SupabaseClient<Database>> | null = null;
  // Loaded when first needed: it would cost every start 50 ms.
  const connect = (): Promise<SupabaseClient<Database>> => (connected ??= import('@supabase/supabase-js').then(({ createClient }) => createClient<Database>(session.url, session.publishableKey, {
    // The session is ours; its own would block without a network. It asks once at its making, when nobody may be signed in.
    accessToken: () => (session.user === null ? Promise.resolve(null) : session.token()),
    global: { fetch: (input, init) => fetch(input, { ...init, signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(init?.signal == null ? [] : [init.signal])]) }) },
    db: { retry: false },
  })));
  /** One question; an expired token is renewed once. */
  const ask = async <T>(build: (client: SupabaseClient<Database>) => PromiseLike<Reply<T>>, allow: readonly string[] = []): Promise<Reply<T>> => {
    const client = await connect();
    for (let renewed = false; ; renewed = true) {
      let reply: Reply<T>;
      await session.token(); // the client would report a missing session as a broken link
      try {
        reply = await build(client);
      } catch (error) {
        throw linkError(error);
      }
      if (reply.error === null || allow.includes(reply.error.code ?? '')) return reply;
      if (reply.status === 0) throw linkError(new Error(reply.error.message));
      const expired = reply.status === 401 || /jwt/i.test(reply.error.message);
      if (!expired || renewed) throw meaning({ status: reply.status, code: reply.error.code ?? '', message: reply.error.message, retryAfter: null }, 'The cloud');
      await session.renew();
    }
  };
  const project = async (projectId: string): Promise<RemoteProject | null> => {
    const { data } = await ask((client) => client.from('projects').select(COLUMNS).eq('id', projectId).maybeSingle());
    return data === null ? null : toProject(data);
  };

  const archivesOf = async (projectIds: readonly string[]): Promise<ReadonlyMap<string, readonly RemoteArchive[]>> => {
    const found = new Map<string, RemoteArchive[]>();
    for (let first = 0; first < projectIds.length; first += IDS_AT_ONCE) {
      const ids = projectIds.slice(first, first + IDS_AT_ONCE);
      for (let from = 0; ; from += PAGE) {
        const { data } = await ask((client) => client.from('archives').select('*').in('project_id', ids).order('created_at').order('id').range(from, from + PAGE - 1));
        for (const row of data ?? []) found.set(row.project_id, [...found.get(row.project_id) ?? [], toArchive(row)]);
        if ((data ?? []).length < PAGE) break;
      }
    }
    return found;
  };

  return {
    async changed(cursor, signal) {
      const since = cursor === null ? null : parseCursor(cursor);
      const { data } = await ask((client) => {
        let query = client.from('projects').select(COLUMNS).order('updated_at').order('id').limit(PAGE);
        if (since !== null) query = since.id === null ? query.gte('updated_at', since.time) : query.or(`updated_at.gt.${quoted(since.time)},and(updated_at.eq.${quoted(since.time)},id.gt.${quoted(since.id)})`);
        return signal === undefined ? query : query.abortSignal(signal);
      });
      const rows = data ?? [];
      const last = rows.at(-1);
      const more = rows.length === PAGE;
      if (last === undefined) return { projects: [], cursor, more: false };
      // Inside a long list the place is exact; at its end the next question begins a little earlier.
      const next = more ? `${last.updated_at}|${last.id}` : new Date(Date.parse(last.updated_at) - OVERLAP_MS).toISOString();
      return { projects: rows.map(toProject), cursor: next, more };
    },
    async ids(signal) {
      const found = new Set<string>();
      // By the last id rather than by a count: rows that go meanwhile would shift the pages.
      for (let after = ''; ;) {
        const { data } = await ask((client) => { const query = client.from('projects').select('id').gt('id', after).order('id').limit(PAGE); return signal === undefined ? query : query.abortSignal(signal); });
        for (const { id } of data ?? []) found.add(id);
        after = data?.at(-1)?.id ?? '';
        if ((data ?? []).length < PAGE) return found;
      }
    },
    project,
    async insertProject({ id, name, template, settings, createdAt }) {
      await ask((client) => client.from('projects').insert({ id, name, template_type: template, settings: settings as Json & object, created_at: new Date(createdAt).toISOString() }), [UNIQUE_VIOLATION]);
    },
    async swapProject(projectId, rev, { name, template, settings, archiveId, deletedAt }) {
      const { data } = await ask((client) => client.from('projects').update({
        ...(name === undefined ? {} : { name }), ...(template === undefined ? {} : { template_type: template }), ...(settings === undefined ? {} : { settings: settings as Json & object }),
        ...(archiveId === undefined ? {} : { archive_id: archiveId }), ...(deletedAt === undefined ? {} : { deleted_at: deletedAt === null ? null : new Date(deletedAt).toISOString() }),
      }).eq('id', projectId).eq('rev', rev).select(COLUMNS).maybeSingle());
      return data === null ? null : toProject(data);
    },
    archives: async (projectId) => (await archivesOf([projectId])).get(projectId) ?? [],
    archivesOf,
    async hasContent(projectId, sha256) {
      const { data } = await ask((client) => client.from('archives').select('id').eq('project_id', projectId).eq('sha256', sha256).limit(1));
      return (data ?? []).length > 0;
    },
    async insertArchive(archive) {
      const { error } = await ask((client) => client.from('archives').insert({
        id: archive.id, project_id: archive.projectId, parent_id: archive.parentId, branch: archive.branch, device: archive.device,
        path: `${session.requireUser().userId}/project-${archive.projectId}.${archive.sha256}.zip`, sha256: archive.sha256, bytes: archive.bytes, files: archive.files,
        content_bytes: archive.contentBytes, reason: archive.reason, ...(archive.sealed === undefined ? {} : { sealed: archive.sealed }), left_out: archive.leftOut.map((item) => ({ ...item })), saved_at: new Date(archive.savedAt).toISOString(),
      }), [UNIQUE_VIOLATION, FOREIGN_KEY_VIOLATION]);
      if (error?.code === FOREIGN_KEY_VIOLATION) throw new VesselError('NOT_FOUND', 'The project is not in the cloud', { details: { projectId: archive.projectId } });
    },
    async branchArchive(projectId, id, branch) {
      await ask((client) => client.from('archives').update({ branch }).eq('project_id', projectId).eq('id', id));
    },
    async removeArchive(projectId, id) {
      const { error } = await ask((client) => client.from('archives').delete().eq('project_id', projectId).eq('id', id), [FOREIGN_KEY_VIOLATION]);
      return error === null;
    },
    async removeProject(projectId) {
      await ask((client) => client.from('projects').delete().eq('id', projectId));
    },
    async claim(projectId, takeOver) {
      const { data, error } = await ask((client) => client.rpc('claim_session', { p_project_id: projectId, p_device_id: device.id, p_device: device.name, p_vm_id: projectId, p_take_over: takeOver }), [FOREIGN_KEY_VIOLATION]);
      const row = data?.[0];
      if (error !== null || row === undefined) throw new VesselError('NOT_FOUND', 'The project is not in the cloud', { details: { projectId } });
      return { held: row.held, sessionId: row.session_id, device: row.device, since: Date.parse(row.since) } satisfies RemoteLease;
    },
    async release(_projectId, sessionId) {
      await ask((client) => client.from('sessions').update({ status: 'ended' }).eq('id', sessionId).eq('status', 'active'));
    },
    async leases() {
      const { data } = await ask((client) => client.from('sessions').select('project_id, device_id, device, created_at').eq('status', 'active'));
      return (data ?? []).map((row) => ({ projectId: row.project_id, device: row.device, since: Date.parse(row.created_at), mine: row.device_id === device.id }));
    },
    async usedBytes() {
      const sizes = new Map<string, number>();
      for (let from = 0; ; from += PAGE) {
        const { data } = await ask((client) => client.from('archives').select('path, bytes').order('id').range(from, from + PAGE - 1));
        for (const { path, bytes } of data ?? []) sizes.set(path, bytes);
        if ((data ?? []).length < PAGE) return [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
      }
    },
    async encryption() {
      // A project without that migration has no encryption.
      const { data } = await ask<{ key_id: string; enabled: boolean; rev: number; proof?: string | null }>((client) => client.from('encryption').select('*').maybeSingle(), NO_TABLE);
      return data === null ? null : { keyId: data.key_id, enabled: data.enabled, rev: data.rev, proof: data.proof ?? null };
    },
    async putEncryption({ keyId, enabled, proof }, rev) {
      const missing = (code: string | undefined): void => { if ([...NO_TABLE, ...NO_COLUMN].includes(code ?? '')) throw new VesselError('CLOUD_REFUSED', 'The cloud project lacks what encryption needs in its database', { hint: 'Apply the migrations of Vessel to it: `supabase db push --remote`.' }); };
      if (rev !== null) {
        const { data, error } = await ask<{ rev: number }>((client) => client.from('encryption').update({ enabled, proof }).eq('key_id', keyId).eq('rev', rev).select('rev').maybeSingle(), NO_COLUMN);
        missing(error?.code);
        return data !== null;
      }
      const { error } = await ask((client) => client.from('encryption').insert({ key_id: keyId, enabled, proof }), [UNIQUE_VIOLATION, ...NO_TABLE, ...NO_COLUMN]);
      missing(error?.code);
      return error === null;
    },
    async removeEncryption() { await ask((client) => client.from('encryption').delete().eq('user_id', session.requireUser().userId), NO_TABLE); },
  };
}

/** Inside `or(...)` a value with punctuation is quoted. */
const quoted = (value: string): string => `"${value}"`;

function parseCursor(cursor: string): { readonly time: string; readonly id: string | null } {
  const [time = '', id] = cursor.split('|');
  return { time, id: id ?? null };
}

type Listed = Pick<ProjectRow, 'id' | 'name' | 'template_type' | 'settings' | 'archive_id' | 'rev' | 'created_at' | 'updated_at' | 'deleted_at'>;

function toProject(row: Listed): RemoteProject {
  return {
    id: row.id, name: row.name, template: row.template_type, settings: row.settings as RemoteProject['settings'], archiveId: row.archive_id, rev: row.rev,
    createdAt: Date.parse(row.created_at), deletedAt: row.deleted_at === null ? null : Date.parse(row.deleted_at),
  };
}

function toArchive(row: ArchiveRow): RemoteArchive {
  return {
    id: row.id, projectId: row.project_id, parentId: row.parent_id, branch: row.branch, device: row.device, sha256: row.sha256, bytes: row.bytes, files: row.files,
    contentBytes: row.content_bytes, reason: row.reason, savedAt: Date.parse(row.saved_at), ...(row.sealed === null ? {} : { sealed: row.sealed }),
    // What another device left out, shown only; anything odd is dropped rather than trusted.
    leftOut: Array.isArray(row.left_out) ? row.left_out.flatMap((item) => typeof item === 'object' && item !== null && !Array.isArray(item) && typeof item['path'] === 'string' && typeof item['reason'] === 'string' ? [{ path: item['path'], reason: item['reason'] }] : []) : [],
  };
}
