import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CallInput, CallName, CallOutput } from '#shared/contract.ts';
import { allCalls } from '#shared/contract.ts';
import type { Operation } from '#shared/operation.ts';
import { LocalHostLink } from './adapters/local-host/local-host-link.ts';
import { createCore, VERSION, type Core } from './create-core.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const AGENT = [process.execPath, join(ROOT, 'host-scripts/infra-agent/main.ts')];
const context = { signal: new AbortController().signal };

let home: string;
let core: Core;
const start = (): Promise<Core> => createCore({ home: join(home, 'state'), cache: join(home, 'cache'), port: 0, agentCommand: AGENT, driver: 'process', log: () => undefined });
function call<N extends CallName>(name: N, input: CallInput<N>): Promise<CallOutput<N>> {
  const handler = core.handlers.calls[name] as (parsed: unknown, given: typeof context) => Promise<CallOutput<N>>;
  return handler(allCalls[name].input.parse(input), context);
}
async function end({ operationId }: { readonly operationId: string }): Promise<Operation> {
  for await (const _event of core.handlers.streams['operations.watch']({ operationId, afterSeq: 0 }, context)) { /* until it has ended */ }
  return call('operations.get', { operationId });
}
async function exec(projectId: string, ...argv: string[]): Promise<string> {
  let output = '';
  for await (const item of core.handlers.streams['exec.run']({ projectId, argv, cwd: '', env: {}, pty: null }, context)) {
    if (item.kind === 'stdout' || item.kind === 'stderr') output += Buffer.from(item.data, 'base64').toString();
    if (item.kind === 'exit') output += `[${item.code}]`;
  }
  return output;
}
function get(projectId: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port: core.gateway.port, path: '/healthz', headers: { host: `${projectId}.localhost:${core.gateway.port}`, authorization: `Bearer ${core.gateway.bearer}` } }, (response) => { response.resume(); resolve(response.statusCode ?? 0); }).on('error', reject).end();
  });
}

beforeAll(async () => { home = mkdtempSync(join(tmpdir(), 'vessel-core-')); core = await start(); });
afterAll(async () => {
  const link = new LocalHostLink({ hostId: 'local', command: AGENT, env: { VESSEL_HOME: join(home, 'state'), VESSEL_CACHE: join(home, 'cache'), VESSEL_DRIVER: 'process', VESSEL_UNSAFE_PROCESS_DRIVER: '1' }, log: () => undefined });
  for (const { id } of (await link.request('list', {})).vms) await link.request('stop', { id });
  await link.dispose();
  await core.dispose();
  rmSync(home, { recursive: true, force: true });
});

/** The real infra-agent, guest agent, gateway and stores; only the VM is a plain process. */
describe('core with real parts', { timeout: 60_000 }, () => {
  let id: string;

  it('states the version of package.json', () => {
    expect(VERSION).toBe((JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly version: string }).version);
  });

  it('refuses a second Vessel on the same home', async () => {
    await expect(start()).rejects.toThrow(expect.objectContaining({ code: 'ALREADY_RUNNING' }));
  });

  it('opens a new project through the gateway', async () => {
    ({ id } = await call('projects.create', { name: 'Demo', template: 'node' }));
    const opened = await end(await call('environments.open', { projectId: id }));
    expect(opened).toMatchObject({ state: 'succeeded', result: { id, state: 'running', origin: `http://${id}.localhost:${core.gateway.port}` } });
    expect(await get(id)).toBe(200);
    expect(await exec(id, 'node', '--test')).toMatch(/pass 1[^]*\[0\]/);
    expect(await exec(id, 'sh', '-c', 'exit 7')).toBe('[7]');
    expect((await end(await call('environments.save', { projectId: id }))).result).toMatchObject({ changed: false });
  });

  it('finds it running after a restart, and works on', async () => {
    await exec(id, 'sh', '-c', 'printf edited > edit.txt && mkdir -p empty && ln -s edit.txt link');
    await core.dispose();
    core = await start();
    // Asked before the host was reconciled: the call waits for it.
    expect(await exec(id, 'cat', 'link')).toBe('edited[0]');
    expect((await call('projects.get', { projectId: id })).environment).toMatchObject({ state: 'running', dirty: true });
    expect(await get(id)).toBe(200);
  });

  it('tells when its VM died and opens again from the last save', async () => {
    expect((await end(await call('environments.save', { projectId: id }))).result).toMatchObject({ changed: true, archive: { rev: 2 } });
    // The guest's own process: what a crashed hypervisor looks like.
    const link = new LocalHostLink({ hostId: 'local', command: AGENT, env: { VESSEL_HOME: join(home, 'state'), VESSEL_CACHE: join(home, 'cache'), VESSEL_DRIVER: 'process', VESSEL_UNSAFE_PROCESS_DRIVER: '1' }, log: () => undefined });
    const { pid } = await link.request('inspect', { id });
    await link.dispose();
    if (pid === null) throw new Error('no pid');
    process.kill(pid, 'SIGKILL');
    for (let tries = 0; tries < 100 && (await call('projects.get', { projectId: id })).environment?.state !== 'error'; tries += 1) await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await call('projects.get', { projectId: id })).environment).toMatchObject({ state: 'error', error: { code: 'VM_DIED', details: { lastRev: 2 } } });
    expect(await end(await call('environments.open', { projectId: id }))).toMatchObject({ state: 'succeeded' });
    expect(await exec(id, 'cat', 'link')).toBe('edited[0]');
  });

  it('saves and exits, leaves no VM, and exports what was edited', async () => {
    await exec(id, 'sh', '-c', 'printf more >> edit.txt');
    expect(await end(await call('environments.close', { projectId: id }))).toMatchObject({ state: 'succeeded', result: { changed: true, archive: { rev: 3 } } });
    const path = join(home, 'export.zip');
    await call('history.export', { projectId: id, path });
    expect(execFileSync('unzip', ['-p', path, 'edit.txt'], { encoding: 'utf8' })).toBe('editedmore');
    expect(execFileSync('unzip', ['-Z1', path], { encoding: 'utf8' })).toContain('empty/');
    expect(await get(id)).not.toBe(200);
  });

  it('keeps every project when its database is destroyed', async () => {
    await core.dispose();
    writeFileSync(join(home, 'state', 'vessel.db'), 'garbage '.repeat(2000));
    core = await start();
    const { projects } = await call('projects.list', {});
    expect(projects).toMatchObject([{ id, name: 'Demo', head: { rev: 3 } }]);
    expect((await call('events.list', {})).events.map(({ kind }) => kind)).toContain('store.corrupt');
    expect(await call('history.verify', { projectId: id })).toMatchObject({ ok: true });
  });
});
