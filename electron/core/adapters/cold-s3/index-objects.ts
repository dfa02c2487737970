import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import type { Device } from '../../ports/cloud.ts';
import type { EncryptionRecord, RemoteArchive, RemoteIndex, RemoteProject } from '../../ports/remote-store.ts';
import { listKeys } from './archives.ts';
import type { S3Client } from './client.ts';

const ArchiveSchema = z.object({
  id: z.string(), projectId: z.string(), parentId: z.string().nullable(), branch: z.string().nullable(), device: z.string(), sha256: z.string(), bytes: z.number(), files: z.number(),
  contentBytes: z.number(), leftOut: z.array(z.object({ path: z.string(), reason: z.string() })), reason: z.string(), savedAt: z.number(), sealed: z.string().optional(),
});
const EncryptionSchema = z.object({ v: z.literal(1), keyId: z.string(), enabled: z.boolean(), rev: z.number(), proof: z.string().nullish() });
const RowSchema = z.object({
  v: z.literal(1),
  project: z.object({ id: z.string(), name: z.string(), template: z.string().nullable(), settings: z.record(z.string(), z.unknown()), archiveId: z.string().nullable(), rev: z.number(), createdAt: z.number(), deletedAt: z.number().nullable() }),
  archives: z.array(ArchiveSchema),
  lease: z.object({ sessionId: z.string(), deviceId: z.string(), device: z.string(), since: z.number(), beatAt: z.number() }).nullable(),
});
type Row = z.infer<typeof RowSchema>;

/** Devices that write to one row at once; each failed attempt means that another one succeeded. */
const MAX_ATTEMPTS = 60;
/** A holder that is silent longer has lost its lease. A bucket has no clock of its own: this is by the clocks of the devices. */
const LEASE_MS = 3 * 60_000;
const ROWS = 'rows/';
const ENCRYPTION = 'encryption.json';
const PROBE = 'conditional-writes';

/**
 * The row index as objects in the bucket itself: one document for each project, changed only by conditional writes (`If-Match`).
 * A server without them is refused, because two computers would overwrite each other's rows there.
 */
export function makeS3Index(client: S3Client, device: Device): RemoteIndex {
  const keyOf = (projectId: string): string => `${ROWS}${projectId}.json`;
  const leasesByTag = new Map<string, { readonly etag: string; readonly lease: Row['lease'] }>();
  let probed: Promise<void> | null = null;
  const safe = (): Promise<void> => (probed ??= requireConditionalWrites(client).catch((error: unknown) => { probed = null; throw error; }));

  const read = async (projectId: string): Promise<{ readonly row: Row; readonly etag: string } | null> => {
    const response = await client.ask({ method: 'GET', key: keyOf(projectId), accept: [404] }, 'The row');
    if (!response.ok) { await response.body?.cancel(); return null; }
    const parsed = RowSchema.safeParse(await response.json());
    if (!parsed.success) throw new VesselError('CLOUD_FAILED', `The row of ${projectId} in the bucket cannot be read`, { retryable: false });
    return { row: parsed.data, etag: response.headers.get('etag') ?? '' };
  };
  const write = async (row: Row, etag: string | null): Promise<boolean> => {
    await safe();
    const response = await client.ask({ method: 'PUT', key: keyOf(row.project.id), body: Buffer.from(JSON.stringify(row)), headers: { 'content-type': 'application/json', ...(etag === null ? { 'if-none-match': '*' } : { 'if-match': etag }) }, accept: [404, 409, 412] }, 'The row');
    await response.body?.cancel();
    return response.ok;
  };
  const readEncryption = async (): Promise<{ readonly record: EncryptionRecord; readonly etag: string } | null> => {
    const response = await client.ask({ method: 'GET', key: ENCRYPTION, accept: [404] }, 'The encryption');
    if (!response.ok) { await response.body?.cancel(); return null; }
    const parsed = EncryptionSchema.safeParse(await response.json());
    if (!parsed.success) throw new VesselError('CLOUD_FAILED', 'The record of the encryption in the bucket cannot be read', { retryable: false });
    const { keyId, enabled, rev, proof } = parsed.data;
    return { record: { keyId, enabled, rev, proof: proof ?? null }, etag: response.headers.get('etag') ?? '' };
  };
  /** Changes a row until no other device came in between. `change` returns null to leave it. Throws NOT_FOUND. */
  const update = async (projectId: string, change: (row: Row) => Row | null): Promise<Row | null> => {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const found = await read(projectId);
      if (found === null) throw new VesselError('NOT_FOUND', 'The project is not in the bucket', { details: { projectId } });
      const next = change(found.row);
      if (next === null) return null;
      if (await write(next, found.etag)) return next;
    }
    throw new VesselError('CLOUD_FAILED', 'Other devices keep writing to this project');
  };
  const rows = async function* (): AsyncGenerator<{ readonly id: string; readonly etag: string }, void> {
    for await (const { key, etag } of listKeys(client, ROWS)) {
      const id = /^rows\/([a-z0-9-]+)\.json$/.exec(key)?.[1];
      if (id !== undefined) yield { id, etag };
    }
  };
  /** A change of anything is a change of the row's revision, as a database counts it. */
  const bumped = (row: Row, change: Partial<Row['project']>): Row => ({ ...row, project: { ...row.project, ...change, rev: row.project.rev + 1 } });

  return {
    async changed(cursor) {
      const before = new Map<string, string>(cursor === null ? [] : JSON.parse(cursor) as [string, string][]);
      const after = new Map<string, string>();
      const projects: RemoteProject[] = [];
      for await (const { id, etag } of rows()) {
        after.set(id, etag);
        if (before.get(id) === etag) continue;
        const found = await read(id);
        if (found !== null) projects.push(found.row.project as RemoteProject);
      }
      return { projects, cursor: JSON.stringify([...after]), more: false };
    },
    async ids() {
      const found = new Set<string>();
      for await (const { id } of rows()) found.add(id);
      return found;
    },
    project: async (projectId) => (await read(projectId))?.row.project as RemoteProject | undefined ?? null,
    async insertProject(project) {
      await write({ v: 1, project: { ...project, settings: { ...project.settings }, archiveId: null, rev: 1, deletedAt: null }, archives: [], lease: null }, null);
    },
    async swapProject(projectId, rev, change) {
      const found = await read(projectId);
      if (found === null || found.row.project.rev !== rev) return null;
      if (change.archiveId != null && !found.row.archives.some(({ id, branch }) => id === change.archiveId && branch === null)) throw new VesselError('CLOUD_REFUSED', 'This archive cannot become current');
      const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as Partial<Row['project']>;
      const next = bumped(found.row, given);
      return await write(next, found.etag) ? next.project as RemoteProject : null;
    },
    archives: async (projectId) => (await read(projectId))?.row.archives ?? [],
    async archivesOf(projectIds) {
      const found = new Map<string, readonly RemoteArchive[]>();
      for (const id of projectIds) { const one = await read(id); if (one !== null) found.set(id, one.row.archives); }
      return found;
    },
    hasContent: async (projectId, sha256) => (await read(projectId))?.row.archives.some((archive) => archive.sha256 === sha256) ?? false,
    async insertArchive(archive) { await update(archive.projectId, (row) => (row.archives.some(({ id }) => id === archive.id) ? null : { ...row, archives: [...row.archives, { ...archive, leftOut: [...archive.leftOut] }] })); },
    async branchArchive(projectId, id, branch) {
      await update(projectId, (row) => (row.archives.some((archive) => archive.id === id && archive.branch !== branch) ? { ...row, archives: row.archives.map((archive) => (archive.id === id ? { ...archive, branch } : archive)) } : null));
    },
    async removeArchive(projectId, id) {
      let removed = true;
      if (await read(projectId) === null) return false;
      await update(projectId, (row) => {
        removed = row.project.archiveId !== id;
        return removed && row.archives.some((archive) => archive.id === id) ? { ...row, archives: row.archives.filter((archive) => archive.id !== id) } : null;
      });
      return removed;
    },
    async removeProject(projectId) { await (await client.ask({ method: 'DELETE', key: keyOf(projectId), accept: [404] }, 'The row')).body?.cancel(); },
    async claim(projectId, takeOver) {
      const mine = { sessionId: crypto.randomUUID(), deviceId: device.id, device: device.name, since: Date.now(), beatAt: Date.now() };
      let holder: NonNullable<Row['lease']> = mine;
      await update(projectId, (row) => {
        holder = row.lease?.deviceId === device.id ? { ...row.lease, beatAt: Date.now() } : mine;
        if (row.lease !== null && row.lease.deviceId !== device.id && !takeOver && row.lease.beatAt > Date.now() - LEASE_MS) { holder = row.lease; return null; }
        return { ...row, lease: holder };
      });
      return { held: holder.deviceId === device.id, sessionId: holder.sessionId, device: holder.device, since: holder.since };
    },
    async release(projectId, sessionId) {
      if (await read(projectId) !== null) await update(projectId, (row) => (row.lease?.sessionId === sessionId ? { ...row, lease: null } : null));
    },
    async leases() {
      const found = [];
      for await (const { id, etag } of rows()) {
        // Only rows that changed are read again: this is asked twice a minute.
        const known = leasesByTag.get(id);
        const lease = known?.etag === etag ? known.lease : (await read(id))?.row.lease ?? null;
        leasesByTag.set(id, { etag, lease });
        if (lease !== null && lease.beatAt > Date.now() - LEASE_MS) found.push({ projectId: id, device: lease.device, since: lease.since, mine: lease.deviceId === device.id });
      }
      return found;
    },
    async usedBytes() {
      let sum = 0;
      for await (const { bytes } of listKeys(client, 'projects/')) sum += bytes;
      return sum;
    },
    encryption: async () => (await readEncryption())?.record ?? null,
    async putEncryption({ keyId, enabled, proof }, rev) {
      await safe();
      const found = await readEncryption();
      if ((found?.record.rev ?? null) !== rev || (found !== null && found.record.keyId !== keyId)) return false;
      const response = await client.ask({ method: 'PUT', key: ENCRYPTION, body: Buffer.from(JSON.stringify({ v: 1, keyId, enabled, proof, rev: (rev ?? 0) + 1 })), headers: { 'content-type': 'application/json', ...(found === null ? { 'if-none-match': '*' } : { 'if-match': found.etag }) }, accept: [404, 409, 412] }, 'The encryption');
      await response.body?.cancel();
      return response.ok;
    },
    async removeEncryption() { await (await client.ask({ method: 'DELETE', key: ENCRYPTION, accept: [404] }, 'The encryption')).body?.cancel(); },
  } satisfies RemoteIndex & { archives(projectId: string): Promise<readonly RemoteArchive[]> };
}

/** Writes where something stands, on condition that nothing does: a server that obeys refuses. Throws CLOUD_REFUSED. */
async function requireConditionalWrites(client: S3Client): Promise<void> {
  const put = (): Promise<Response> => client.ask({ method: 'PUT', key: PROBE, body: Buffer.from('Vessel looks here whether this server honours conditions.'), headers: { 'if-none-match': '*' }, accept: [409, 412, 501] }, 'The bucket');
  let response = await put();
  await response.body?.cancel();
  if (response.ok) { response = await put(); await response.body?.cancel(); }
  if (response.status !== 412 && response.status !== 409) throw new VesselError('CLOUD_REFUSED', 'This S3 server has no conditional writes, so two computers could overwrite each other', { hint: 'Use a server that has them (AWS S3, Cloudflare R2, MinIO, Ceph since 2024).' });
}
