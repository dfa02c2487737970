import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startStack, type Stack } from '../../electron/core/adapters/cold-supabase/testing/stack.ts';
import { describeUnless } from '../testing/describe-unless.ts';

const JOURNEY = fileURLToPath(new URL('./offline-cloud-journey.ts', import.meta.url));

describeUnless(process.getuid?.() === 0 ? null : 'needs root: no network namespace can be made', 'a project that rests in the cloud, through a day without a network', () => {
  let stack: Stack;
  let folder: string;
  let door: Server;
  beforeAll(async () => {
    stack = await startStack();
    folder = await mkdtemp(join(tmpdir(), 'vsl-cloud-door-'));
    const port = Number(new URL(stack.url).port);
    // A Unix socket is reached from a namespace without a network.
    door = createServer((socket) => {
      const far = connect(port, '127.0.0.1');
      for (const end of [socket, far]) end.on('error', () => { socket.destroy(); far.destroy(); });
      socket.pipe(far).pipe(socket);
    });
    await new Promise<void>((resolve) => { door.listen(join(folder, 'cloud.sock'), resolve); });
  });
  afterAll(async () => { door.close(); await stack.stop(); await rm(folder, { recursive: true, force: true }); });

  it('is worked on as ever, and then everything arrives, once', async () => {
    const child = spawn('unshare', ['--net', 'sh', '-c', 'ip link set lo up && exec "$0" "$1"', process.execPath, JOURNEY], { env: { ...process.env, VESSEL_CLOUD_SOCKET: join(folder, 'cloud.sock'), VESSEL_CLOUD_KEY: stack.publishableKey }, stdio: ['ignore', 'pipe', 'pipe'] });
    const [out, problems, code] = await Promise.all([text(child.stdout), text(child.stderr), new Promise((resolve) => { child.once('close', resolve); })]);
    expect(code, problems).toBe(0);
    const { revisions } = JSON.parse(out) as { readonly revisions: readonly { readonly projectId: string; readonly sha256: string; readonly reason: string }[] };
    expect(revisions.map(({ reason }) => reason)).toEqual(expect.arrayContaining(['offline-edit', 'save', 'exit']));
    const rows = async (sql: string): Promise<unknown[]> => (await stack.cluster.pool.query(sql)).rows as unknown[];
    const sorted = (all: readonly string[]): readonly string[] => [...all].sort();
    const archives = await rows('select project_id, sha256, reason, branch from archives') as { readonly project_id: string; readonly sha256: string; readonly reason: string; readonly branch: string | null }[];
    expect(sorted(archives.map((row) => `${row.project_id} ${row.sha256} ${row.reason} ${row.branch ?? ''}`))).toEqual(sorted(revisions.map((row) => `${row.projectId} ${row.sha256} ${row.reason} `)));
    const objects = await rows('select name from storage.objects') as { readonly name: string }[];
    expect(sorted(objects.map(({ name }) => name.slice(name.indexOf('/') + 1)))).toEqual(sorted([...new Set(revisions.map(({ projectId, sha256 }) => `project-${projectId}.${sha256}.zip`))]));
    expect(await rows('select name, deleted_at is not null as deleted from projects order by name')).toEqual([{ name: 'Made offline', deleted: false }, { name: 'Old', deleted: true }, { name: 'Shop, renamed', deleted: false }]);
    expect(await rows('select status from sessions where status = \'active\'')).toEqual([]);
  });
});
