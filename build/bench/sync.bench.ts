// The cloud from the client's side: a thousand rows that changed, and 300 MB up and down with the memory it takes.
import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { open, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { makeSupabaseIndex } from '../../electron/core/adapters/cold-supabase/index-tables.ts';
import { signedIn } from '../../electron/core/adapters/cold-supabase/testing/signed-in.ts';
import { CloudLimits } from '../../electron/core/services/cloud/limits.ts';
import { Sync } from '../../electron/core/services/cloud/sync.ts';
import { makeWorld } from '../../electron/core/testing/world.ts';
import { note } from './host.ts';
import { timed } from './stats.ts';

const ROWS = 1_000;
const ARCHIVE_BYTES = 300 * 1024 * 1024;
const BLOCK_BYTES = 4 * 1024 * 1024;
const run = promisify(execFile);
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

const stack = spawn(process.execPath, [here('cloud-stack.ts')], { stdio: ['pipe', 'pipe', 'inherit'] });
const scratch = await mkdtemp(join(tmpdir(), 'vsl-bench-sync-'));
try {
  const [line] = await once(createInterface(stack.stdout), 'line') as [string];
  const cloud = JSON.parse(line) as { readonly url: string; readonly publishableKey: string; readonly socket: string };
  const rows = await syncRows(cloud);
  note(`rows ${JSON.stringify(rows)}`);
  const path = join(scratch, 'archive.zip');
  const file = await open(path, 'w');
  for (let written = 0; written < ARCHIVE_BYTES; written += BLOCK_BYTES) await file.write(randomBytes(BLOCK_BYTES));
  await file.close();
  const transfer: object[] = [];
  for (const form of ['plain', 'sealed']) {
    const { stdout } = await run(process.execPath, [here('sync-transfer.ts'), cloud.url, cloud.publishableKey, path, String(ARCHIVE_BYTES), form]);
    transfer.push(JSON.parse(stdout) as object);
    note(`transfer ${stdout.trim()}`);
  }
  process.stdout.write(`${JSON.stringify({ rows, transfer })}\n`);
} finally {
  stack.stdin.end();
  await once(stack, 'close');
  await rm(scratch, { recursive: true, force: true });
}

/** A computer that never saw them, the same one after all of them changed elsewhere, and all of them changed here. */
async function syncRows(cloud: { readonly url: string; readonly publishableKey: string; readonly socket: string }): Promise<object> {
  const user = await signedIn(cloud);
  const pool = new pg.Pool({ host: cloud.socket, user: 'postgres', database: 'postgres', max: 1 });
  const { userId } = user.user;
  const id = (index: number): string => `bench-${index}`;
  for (let index = 0; index < ROWS; index += 1) {
    const archive = crypto.randomUUID();
    const sha256 = createHash('sha256').update(id(index)).digest('hex');
    await pool.query('insert into projects (user_id, id, name) values ($1, $2, $3)', [userId, id(index), `Project ${index}`]);
    await pool.query(`insert into archives (user_id, id, project_id, device, path, sha256, bytes, files, content_bytes, reason, saved_at) values ($1, $2, $3, 'bench', $4, $5, 1000, 1, 1000, 'save', now())`, [userId, archive, id(index), `${userId}/project-${id(index)}.${sha256}.zip`, sha256]);
    await pool.query('update projects set archive_id = $3 where user_id = $1 and id = $2', [userId, id(index), archive]);
  }
  const world = await makeWorld({ clock: { now: Date.now() } });
  const device = { id: crypto.randomUUID(), name: 'bench' };
  const backend = { kind: 'supabase' as const, archives: user.archives, index: makeSupabaseIndex(user.session, device) };
  const sync = new Sync({ context: world.context, device, backends: (kind) => (kind === 'supabase' ? backend : null), limits: new CloudLimits(() => ({ maxFileBytes: null, totalBytes: null }), Date.now) });
  try {
    const first = await timed(() => sync.now());
    await pool.query(`update projects set name = name || ' renamed' where user_id = $1`, [userId]);
    const changed = await timed(() => sync.now());
    const seen = world.projects.list(false).filter(({ name }) => name.endsWith('renamed')).length;
    if (seen !== ROWS) throw new Error(`only ${seen} rows arrived`);
    for (const project of world.projects.list(false)) await world.projects.update(project.id, { settings: { idleMinutes: 7 } });
    const sent = await timed(() => sync.now());
    if (sent.value.pending !== 0) throw new Error(`${sent.value.pending} changes were not sent`);
    const list = await timed(async () => world.projects.list(false).length);
    return { rows: ROWS, firstPullMs: Math.round(first.ms), changedPullMs: Math.round(changed.ms), pushMs: Math.round(sent.ms), cachedListMs: Math.round(list.ms * 100) / 100 };
  } finally {
    await sync.stop();
    await world.dispose();
    await user.dispose();
    await pool.end();
  }
}
