import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import AdmZip from 'adm-zip';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isAlive } from './process-alive.ts';

/**
 * A day's sequence of commands as real processes: command line → server → core → infra-agent → guest agent. The guests are
 * processes instead of VMs (the driver for tests), so this proves the doors and the wiring; `build/e2e` does it with VMs.
 */
const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const OPEN_DEADLINE_MS = 60_000;

type Ran = { readonly code: number | null; readonly out: string; readonly err: string };
let folder = '';
let home = '';

function vessel(argv: readonly string[], input = ''): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...argv], {
      cwd: folder, env: { ...process.env, VESSEL_HOME: home, VESSEL_CACHE: join(folder, 'cache'), VESSEL_DRIVER: 'process', VESSEL_UNSAFE_PROCESS_DRIVER: '1', NO_COLOR: '1' },
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (data: Buffer) => { out += data.toString('utf8'); });
    child.stderr.on('data', (data: Buffer) => { err += data.toString('utf8'); });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out, err }));
    child.stdin.on('error', () => undefined); // a command that reads no input may be gone before it is written
    child.stdin.end(input);
  });
}

/** Runs with `--json`; stdout must be exactly one object on one line. */
async function json(...argv: string[]): Promise<{ code: number | null; value: Record<string, unknown> }> {
  const ran = await vessel(['--json', ...argv]);
  expect(ran.out, `${argv.join(' ')}\n${ran.err}`).toMatch(/^\{.*\}\n$/);
  return { code: ran.code, value: JSON.parse(ran.out) as Record<string, unknown> };
}

const revOf = (value: Record<string, unknown>): number => (value['archive'] as { readonly rev: number }).rev;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vessel-cli-e2e-'));
  home = join(folder, 'home');
  mkdirSync(home);
});
afterAll(async () => {
  if (existsSync(join(home, 'run/server.json'))) {
    const { value } = await json('status');
    for (const { id } of (value['environments'] ?? []) as { id: string }[]) await vessel(['discard', id, '--yes']);
    await vessel(['quit', '--force']);
  }
  rmSync(folder, { recursive: true, force: true });
});

describe('the whole flow by command line', () => {
  let id = '';
  let closedRev = 0;

  it('creates a project from a template and starts Vessel on the way', async () => {
    const { code, value } = await json('project', 'create', 'demo', '--template', 'node');
    expect(code, JSON.stringify(value)).toBe(0);
    id = String(value['id']);
    expect(id).toMatch(/^demo-[a-z0-9]{4}$/);
    expect((await json('project', 'list')).value['projects']).toMatchObject([{ id, name: 'demo', template: 'node' }]);
  }, OPEN_DEADLINE_MS);

  it('opens it: the address answers', async () => {
    const { code, value } = await json('open', 'demo');
    expect(code, JSON.stringify(value)).toBe(0);
    expect(value).toMatchObject({ id, state: 'running', url: expect.stringContaining(id) as string, timings: expect.any(Array) as unknown[] });
    expect(await statusOf(String(value['url']))).toBeLessThan(400);
    expect((await vessel(['project', 'list'])).out).toMatch(/demo .*open/);
  }, OPEN_DEADLINE_MS);

  it('opens it again at once', async () => {
    const { code, value } = await json('open', id);
    expect(code).toBe(0);
    expect(value).toMatchObject({ id, state: 'running' });
  }, OPEN_DEADLINE_MS);

  it('runs commands in the workspace with input, output and exit code', async () => {
    expect(await vessel(['exec', 'demo', '--', 'node', '--version'])).toMatchObject({ code: 0, out: expect.stringMatching(/^v\d+\./) as string });
    expect(await vessel(['exec', 'demo', 'sh', '-c', 'cat; echo err >&2; exit 9'], 'through the pipe')).toEqual({ code: 9, out: 'through the pipe', err: 'err\n' });
    expect((await vessel(['exec', 'demo', '--', 'sh', '-c', 'echo grüße > note.txt && ls'])).out).toContain('package.json');
    expect((await json('exec', 'demo', '--', 'no-such-command-here')).code).not.toBe(0);
  }, OPEN_DEADLINE_MS);

  it('prints addresses with tickets, and refuses to quit while it runs', async () => {
    expect((await json('url', 'demo')).value).toMatchObject({ id, origin: expect.stringContaining(`//${id}.`) as string });
    expect((await json('url', 'demo', '--port', '5173')).value['origin']).toContain(`5173--${id}`);
    expect((await vessel(['url'])).out).toMatch(/^http:\/\/vessel\.localhost/);
    expect(await vessel(['quit'])).toMatchObject({ code: 4 });
  }, OPEN_DEADLINE_MS);

  it('saves while it runs, then closes with a verified archive', async () => {
    const saved = await json('save', 'demo');
    expect(saved.code, JSON.stringify(saved.value)).toBe(0);
    expect(saved.value).toMatchObject({ changed: true, archive: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string } });
    await vessel(['exec', 'demo', '--', 'sh', '-c', 'echo more >> note.txt']);
    const closed = await json('close', 'demo');
    expect(closed.code, JSON.stringify(closed.value)).toBe(0);
    closedRev = revOf(closed.value);
    expect(closedRev).toBeGreaterThan(revOf(saved.value));
    expect(await vessel(['exec', 'demo', 'true'])).toMatchObject({ code: 4, err: expect.stringContaining(`vessel open ${id}`) as string });
  }, OPEN_DEADLINE_MS);

  it('exports what was written, and verifies it', async () => {
    const { code, value } = await json('project', 'export', 'demo', '-o', 'demo.zip');
    expect(code, JSON.stringify(value)).toBe(0);
    expect(value).toMatchObject({ rev: closedRev });
    expect(new AdmZip(join(folder, 'demo.zip')).readAsText('note.txt')).toBe('grüße\nmore\n');
    expect(await json('project', 'verify', 'demo')).toMatchObject({ code: 0, value: { ok: true } });
  }, OPEN_DEADLINE_MS);

  it('keeps history and brings an earlier revision back', async () => {
    const { value } = await json('project', 'history', 'demo');
    expect((value['revisions'] as unknown[]).length).toBeGreaterThanOrEqual(3);
    const restored = await json('project', 'restore', 'demo', '--rev', '1');
    expect(restored.code, JSON.stringify(restored.value)).toBe(0);
    expect(restored.value).toMatchObject({ id, restoredFrom: 1 });
    expect(await json('project', 'restore', 'demo', '--rev', '999')).toMatchObject({ code: 3 });
  }, OPEN_DEADLINE_MS);

  it('imports a folder and a zip', async () => {
    mkdirSync(join(folder, 'site/empty'), { recursive: true });
    writeFileSync(join(folder, 'site/index.html'), '<h1>hello</h1>');
    const imported = await json('project', 'import', 'site');
    expect(imported.code, JSON.stringify(imported.value)).toBe(0);
    expect(imported.value).toMatchObject({ name: 'site', head: { files: 1 } });
    const again = await json('project', 'import', 'demo.zip', '--name', 'copy');
    expect(again.code, JSON.stringify(again.value)).toBe(0);
    expect(await json('project', 'import', MAIN)).toMatchObject({ value: { error: {} } });
  }, OPEN_DEADLINE_MS);

  it('renames, changes settings, deletes and brings back', async () => {
    expect((await json('project', 'rename', 'copy', 'second')).value).toMatchObject({ name: 'second' });
    expect((await json('project', 'settings', 'second', '--idle', '0')).value).toMatchObject({ settings: { idleMinutes: 0, autosaveMinutes: 5 } });
    expect((await json('project', 'delete', 'second')).code).toBe(0);
    expect((await json('open', 'second')).code).toBe(3);
    expect((await json('project', 'undelete', 'second')).value).toMatchObject({ deletedAt: null });
  }, OPEN_DEADLINE_MS);

  it('tells what happened: operations, logs, events, hosts, nothing to rescue', async () => {
    const { value } = await json('operations');
    const operations = value['operations'] as { id: string; kind: string; state: string }[];
    expect(operations.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['open', 'save', 'close', 'restore', 'import']));
    expect((await json('logs', String(operations.find(({ kind }) => kind === 'open')?.id))).value['lines']).not.toEqual([]);
    expect((await json('events')).value['events']).not.toEqual([]);
    expect((await json('host', 'list')).value['hosts']).toMatchObject([{ id: 'local' }]);
    expect((await json('host', 'facts')).value).toMatchObject({ facts: { driver: 'process' } });
    expect((await json('host', 'provision', '--dry-run')).code).toBe(0);
    expect((await json('rescue')).value).toEqual({ orphans: [] });
  }, OPEN_DEADLINE_MS);

  it('discards without saving, and ends without leaving a process', async () => {
    expect((await json('open', 'site')).code).toBe(0);
    expect(await vessel(['discard', 'site'])).toMatchObject({ code: 2 });
    expect((await json('discard', 'site', '--yes')).value).toMatchObject({ discarded: true });
    const { pid } = JSON.parse(readFileSync(join(home, 'run/server.json'), 'utf8')) as { pid: number };
    expect((await json('quit')).value).toEqual({ stopped: true });
    // One that init has not collected yet has ended all the same.
    expect(isAlive(pid)).toBe(false);
    expect((await json('status')).code).toBe(7);
  }, OPEN_DEADLINE_MS);
});

/** Node does not resolve `*.localhost`: dial loopback and say the name in `Host`. */
function statusOf(url: string): Promise<number> {
  const { hostname, port, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port: port === '' ? 80 : Number(port), path: `${pathname}${search}`, headers: { host: port === '' ? hostname : `${hostname}:${port}` } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    outgoing.once('error', reject);
    outgoing.end();
  });
}
