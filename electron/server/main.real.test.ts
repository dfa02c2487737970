import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readServerRecord } from './server-record.ts';

/** The real program, as `npm start` runs it, with guests as plain processes. */
const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const READY_DEADLINE_MS = 30_000;
let home: string;
let children: ChildProcess[];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'vessel-main-'));
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(home, { recursive: true, force: true });
});

type Started = { readonly child: ChildProcess; readonly line: string; readonly exit: Promise<number | null>; /** All of stderr so far. */ readonly errors: () => string };
function start(args: readonly string[] = [], nodeOptions: readonly string[] = []): Promise<Started> {
  const env = { ...process.env, VESSEL_HOME: home, VESSEL_CACHE: join(home, 'cache'), VESSEL_DRIVER: 'process', VESSEL_UNSAFE_PROCESS_DRIVER: '1', DISPLAY: '', WAYLAND_DISPLAY: '' };
  const child = spawn(process.execPath, [...nodeOptions, MAIN, '--port', '0', '--json', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  const exit = new Promise<number | null>((resolve) => { child.once('exit', resolve); });
  return new Promise((resolve, reject) => {
    let out = '';
    let err = '';
    const timer = setTimeout(() => reject(new Error(`not ready: ${err}`)), READY_DEADLINE_MS);
    child.stderr.on('data', (data: Buffer) => { err += String(data); });
    child.stdout.on('data', (data: Buffer) => {
      out += String(data);
      if (!out.includes('\n')) return;
      clearTimeout(timer);
      resolve({ child, line: out.trim(), exit, errors: () => err });
    });
    void exit.then((code) => reject(new Error(`ended with ${code}: ${err}`)));
  });
}

it('prints one line, records itself privately, answers, and leaves nothing at its end', async () => {
  const { child, line, exit } = await start();
  const ready = JSON.parse(line) as { readonly url: string; readonly baseUrl: string; readonly port: number; readonly pid: number };
  expect(ready.url).toMatch(/^http:\/\/vessel\.localhost:\d+\/__vessel\/enter\?ticket=/);
  expect(ready.pid).toBe(child.pid);
  const record = await readServerRecord(home);
  expect(record).toMatchObject({ port: ready.port, pid: child.pid, baseUrl: ready.baseUrl });
  expect((await stat(join(home, 'run', 'server.json'))).mode & 0o777).toBe(0o600);
  const answer = await fetch(`http://127.0.0.1:${ready.port}/api/call/app.info`, { method: 'POST', headers: { authorization: `Bearer ${record?.secret ?? ''}` } });
  expect(await answer.json()).toMatchObject({ value: { baseUrl: ready.baseUrl, gatewayPort: ready.port } });
  child.kill('SIGTERM');
  expect(await exit).toBe(0);
  expect(existsSync(join(home, 'run', 'server.json'))).toBe(false);
});

/** A defect on a signal, put into the real program before its own code. */
const defectOn = (signal: string, code: string): readonly string[] => ['--import', `data:text/javascript,process.on('${signal}',()=>{${code}})`];

it('writes down a rejection that nothing caught, with its code, and goes on', async () => {
  const { child, line, errors } = await start([], defectOn('SIGUSR2', "Promise.reject(new Error('left-alone'))"));
  const { port } = JSON.parse(line) as { readonly port: number };
  child.kill('SIGUSR2');
  await expect.poll(errors).toMatch(/unhandled rejection: INTERNAL: Error: left-alone\n +at /);
  const { secret = '' } = await readServerRecord(home) ?? {};
  const answer = await fetch(`http://127.0.0.1:${port}/api/call/app.info`, { method: 'POST', headers: { authorization: `Bearer ${secret}` } });
  expect(answer.status).toBe(200);
});

it('goes on after an exception that a full disk made', async () => {
  const { child, line, errors } = await start([], defectOn('SIGUSR2', "throw Object.assign(new Error('no space left'),{code:'ENOSPC'})"));
  const { port } = JSON.parse(line) as { readonly port: number };
  child.kill('SIGUSR2');
  await expect.poll(errors).toMatch(/uncaught exception: DISK_FULL: Error: no space left/);
  const { secret = '' } = await readServerRecord(home) ?? {};
  expect((await fetch(`http://127.0.0.1:${port}/api/call/app.info`, { method: 'POST', headers: { authorization: `Bearer ${secret}` } })).status).toBe(200);
});

it('writes down an exception that nothing caught, closes its doors and ends with a failure', async () => {
  const { child, exit, errors } = await start([], defectOn('SIGUSR2', "throw new Error('out-of-place')"));
  child.kill('SIGUSR2');
  expect(await exit).toBe(1);
  expect(errors()).toMatch(/uncaught exception: INTERNAL: Error: out-of-place/);
  expect(existsSync(join(home, 'run', 'server.json'))).toBe(false);
});

it('started twice, names the one that runs, with a fresh ticket, and ends well', async () => {
  const first = await start();
  const second = await start();
  expect(await second.exit).toBe(0);
  const one = JSON.parse(first.line) as { readonly url: string; readonly port: number };
  const two = JSON.parse(second.line) as { readonly url: string; readonly port: number; readonly already?: boolean };
  expect(two).toMatchObject({ already: true, port: one.port });
  expect(two.url).not.toBe(one.url);
});

it('killed hard, starts again with the same home', async () => {
  const first = await start();
  first.child.kill('SIGKILL');
  await first.exit;
  const second = await start();
  expect(JSON.parse(second.line)).not.toHaveProperty('already');
});

it('ends when it is asked to by a call', async () => {
  const { line, exit } = await start();
  const record = await readServerRecord(home);
  const { port } = JSON.parse(line) as { readonly port: number };
  await fetch(`http://127.0.0.1:${port}/api/call/app.quit`, { method: 'POST', headers: { authorization: `Bearer ${record?.secret ?? ''}`, 'content-type': 'application/json' }, body: '{}' });
  expect(await exit).toBe(0);
});

it('boots and shuts down an environment for scripts, and says what went wrong', async () => {
  const { line } = await start();
  const { port } = JSON.parse(line) as { readonly port: number };
  const { secret = '' } = await readServerRecord(home) ?? {};
  const post = async (path: string, body: unknown): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body: JSON.stringify(body), headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' } });
    return { status: answer.status, body: await answer.json() as Record<string, unknown> };
  };
  const { value } = (await post('/api/call/projects.create', { name: 'Script', template: 'node' })).body as { value: { readonly id: string } };
  const booted = await post('/api/boot', { projectId: value.id });
  expect(booted).toMatchObject({ status: 200, body: { status: 'success', id: value.id, state: 'running', url: expect.stringContaining(`http://${value.id}.localhost:${port}/`) as unknown } });
  expect(await post('/api/boot', { project_id: value.id })).toMatchObject({ status: 200, body: { status: 'success' } });
  expect(await post('/api/shutdown', { projectId: value.id })).toMatchObject({ status: 200, body: { status: 'success', changed: false, archive: { rev: 1 } } });
  expect(await post('/api/shutdown', { projectId: value.id })).toMatchObject({ status: 409, body: { error: { code: 'ILLEGAL_TRANSITION' } } });
  expect(await post('/api/boot', { projectId: 'none-xxxx' })).toMatchObject({ status: 404 });
  expect(await post('/api/boot', { id: value.id })).toMatchObject({ status: 400, body: { error: { code: 'BAD_REQUEST' } } });
});
