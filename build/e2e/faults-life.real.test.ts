import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VesselError } from '#shared/errors.ts';
import { GUEST_API_PREFIX } from '#shared/guest-protocol.ts';
import type { Operation } from '#shared/operation.ts';
import { ideStatus } from './gateway-visit.ts';
import { damagedRevisions, endHome, fileInHead, guestPid, inside, remainsOf, temporaryFiles } from './home.ts';
import { agentOf, kill9, processState, resume, until } from './processes.ts';
import { Traps } from './traps.ts';
import { finish, makeHome, startVessel, type RunningVessel } from './vessel.ts';

const SERVER = fileURLToPath(new URL('../../out/server/main.mjs', import.meta.url));

/** Everything but the machine is real: the built server, infra-agent, the guest agent; guests are plain processes. */
describe('faults in the life of an environment', () => {
  let vessel: RunningVessel;
  let traps: Traps;
  beforeAll(async () => {
    traps = new Traps(await mkdtemp(join(tmpdir(), 'vsl-traps-')));
    await traps.prepare();
    vessel = await startVessel({ driver: 'process', env: { VESSEL_FAULT: `@${traps.folder}` } });
  });
  afterAll(async () => {
    await vessel.stop();
    await endHome(vessel.home);
    await rm(traps.folder, { recursive: true, force: true });
  });

  const again = async (): Promise<void> => { vessel = await startVessel({ home: vessel.home, driver: 'process', env: { VESSEL_FAULT: `@${traps.folder}` } }); };
  const start = async (verb: 'open' | 'save' | 'close', projectId: string): Promise<string> => (await vessel.client.call(`environments.${verb}`, { projectId })).operationId;
  const ended = async (operationId: string): Promise<Operation> => (await finish(vessel.client, operationId, { allowFailure: true })).operation;
  const run = async (verb: 'open' | 'save' | 'close', projectId: string): Promise<Operation> => ended(await start(verb, projectId));
  const remains = async (id: string): Promise<readonly string[]> => (await remainsOf(vessel.home, [id], [vessel.pid, await agentOf(vessel.pid) ?? 0])).filter((what) => what.includes(id));
  const project = (projectId: string): ReturnType<typeof vessel.client.call<'projects.get'>> => vessel.client.call('projects.get', { projectId });
  const create = async (name: string): Promise<string> => (await vessel.client.call('projects.create', { name, template: 'blank' })).id;
  const opened = async (name: string): Promise<string> => {
    const id = await create(name);
    expect(await run('open', id)).toMatchObject({ state: 'succeeded' });
    return id;
  };
  const stoppedVessel = (what: string): Promise<void> => until(async () => await processState(vessel.pid) === 'T', what);
  /** Waits until a step of a running operation has begun. */
  const begun = (operationId: string, stepId: string): Promise<void> => until(async () => {
    const { steps } = await vessel.client.call('operations.get', { operationId });
    return steps.some((step) => step.id === stepId && step.state !== 'pending');
  }, `step ${stepId} to begin`);

  it('two opens at once are one operation and one machine', async () => {
    const id = await create('twice');
    const [one, other] = await Promise.all([start('open', id), start('open', id)]);
    expect(other).toBe(one);
    expect(await ended(one)).toMatchObject({ state: 'succeeded' });
    expect(await readdir(join(vessel.home, 'host', 'vms'))).toEqual([id]);
    expect(await run('open', id)).toMatchObject({ state: 'succeeded' });
    expect(await run('close', id)).toMatchObject({ state: 'succeeded' });
  });

  it('refuses to open, delete or restore what is being closed or opened, and says what is at work', async () => {
    const id = await create('busy');
    const opening = await start('open', id);
    await expect(vessel.client.call('projects.delete', { projectId: id })).rejects.toMatchObject({ code: expect.stringMatching(/BUSY|ILLEGAL_TRANSITION/) as string });
    await expect(start('save', id)).rejects.toMatchObject({ code: expect.stringMatching(/BUSY|ILLEGAL_TRANSITION/) as string });
    expect(await ended(opening)).toMatchObject({ state: 'succeeded' });
    await inside(vessel.client, id, ['sh', '-c', 'head -c 20000000 /dev/urandom > large.bin']);
    const closing = await start('close', id);
    await expect(start('open', id)).rejects.toMatchObject({ code: 'BUSY', message: expect.stringContaining('Save & Exit') as string, details: { operationId: closing } });
    await expect(vessel.client.call('history.restore', { projectId: id, rev: 1 })).rejects.toMatchObject({ code: expect.stringMatching(/BUSY|ILLEGAL_TRANSITION/) as string });
    expect(await ended(closing)).toMatchObject({ state: 'succeeded' });
    expect(await remains(id)).toEqual([]);
  });

  it.for(['start', 'hydrate', 'ide'])('cancelling an open in its step %s leaves no machine, and it opens again', async (step) => {
    const id = await create('cancelled');
    await traps.set(`open.${step}.before`, 'stop');
    const opening = start('open', id);
    await stoppedVessel(`open to reach ${step}`);
    resume(vessel.pid);
    const operationId = await opening;
    await vessel.client.call('operations.cancel', { operationId }).catch((error: unknown) => { if (VesselError.from(error).code !== 'BAD_REQUEST') throw error; });
    const operation = await ended(operationId);
    if (operation.state === 'succeeded') expect(step).toBe('ide');
    else {
      expect(operation).toMatchObject({ state: 'cancelled', error: { code: 'CANCELLED' } });
      expect(await project(id)).toMatchObject({ environment: { state: 'destroyed', error: null }, activeOperationId: null });
      expect(await remains(id)).toEqual([]);
    }
    expect(await run('open', id)).toMatchObject({ state: 'succeeded' });
    expect(await run('close', id)).toMatchObject({ state: 'succeeded' });
  });

  it('cancelling while infra-agent makes the machine leaves none', async () => {
    const id = await create('half');
    await traps.set('agent.identity', 'stop');
    const operationId = await start('open', id);
    const agent = await agentOf(vessel.pid) ?? 0;
    await until(async () => await processState(agent) === 'T', 'infra-agent to stop');
    await vessel.client.call('operations.cancel', { operationId });
    resume(agent);
    expect(await ended(operationId)).toMatchObject({ state: 'cancelled' });
    expect(await remains(id)).toEqual([]);
    expect(await project(id)).toMatchObject({ environment: { state: 'destroyed', error: null } });
  });

  it.for(['save', 'close'] as const)('cancelling a %s keeps the environment, its edits and the last revision, and leaves no half archive', async (verb) => {
    const id = await opened('stay');
    const before = (await project(id)).head;
    await inside(vessel.client, id, ['sh', '-c', 'head -c 40000000 /dev/urandom > large.bin']);
    const operationId = await start(verb, id);
    await begun(operationId, 'read');
    await vessel.client.call('operations.cancel', { operationId });
    expect(await ended(operationId)).toMatchObject({ state: 'cancelled' });
    expect(await project(id)).toMatchObject({ head: before, environment: { state: 'running', dirty: true, error: null } });
    expect(await ideStatus(vessel, id)).toBe(200);
    expect(await temporaryFiles(vessel.home)).toEqual([]);
    expect(await readdir(join(vessel.home, 'cold', id))).toHaveLength(2);
    expect(await run('close', id)).toMatchObject({ state: 'succeeded', result: { changed: true } });
  });

  it('says VM_DIED when the machine dies under Save & Exit; the last revision is whole and opens', async () => {
    const id = await opened('dying');
    await inside(vessel.client, id, ['sh', '-c', 'echo saved > work.txt']);
    expect(await run('save', id)).toMatchObject({ state: 'succeeded' });
    await inside(vessel.client, id, ['sh', '-c', 'echo unsaved > work.txt; head -c 5000000 /dev/urandom > large.bin']);
    await traps.set('close.read.before', 'stop');
    const closing = start('close', id);
    await stoppedVessel('close to read');
    await kill9(await guestPid(vessel.home, id) ?? 0);
    resume(vessel.pid);
    const failed = await ended(await closing);
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'VM_DIED', retryable: true } });
    const { environment, head } = await project(id);
    expect(environment).toMatchObject({ state: 'error', error: { code: 'VM_DIED', message: expect.stringContaining(`Revision ${head?.rev}`) as string } });
    expect(await damagedRevisions(vessel.client, vessel.home, id)).toEqual([]);
    expect(await temporaryFiles(vessel.home)).toEqual([]);
    expect(await ideStatus(vessel, id)).toBeGreaterThanOrEqual(400);
    expect(await run('open', id)).toMatchObject({ state: 'succeeded' });
    expect(await inside(vessel.client, id, ['cat', 'work.txt'])).toBe('saved\n');
    expect(await run('close', id)).toMatchObject({ state: 'succeeded' });
    expect(await remains(id)).toEqual([]);
  });

  it('waits for a guest that hangs for a while, and says so when it hangs on', { timeout: 120_000 }, async () => {
    const id = await opened('hanging');
    await inside(vessel.client, id, ['sh', '-c', 'echo kept > work.txt']);
    const guest = await guestPid(vessel.home, id) ?? 0;
    process.kill(guest, 'SIGSTOP');
    const failed = await run('save', id);
    expect(failed).toMatchObject({ state: 'failed', error: { code: expect.stringMatching(/GUEST_TIMEOUT|GUEST_UNREACHABLE/) as string, retryable: true } });
    expect(await project(id)).toMatchObject({ environment: { state: 'running' } });
    resume(guest);
    expect(await run('close', id)).toMatchObject({ state: 'succeeded' });
    expect(await fileInHead(vessel.client, vessel.home, id, 'work.txt')).toBe('kept\n');
  });

  it('refuses whoever knocks at a guest without its token, or with another guest\'s', async () => {
    const [one, other] = [await opened('mine'), await opened('yours')];
    const record = async (id: string): Promise<{ readonly port: number; readonly token: string }> => JSON.parse(await readFile(join(vessel.home, 'host', 'vms', id, 'vm.json'), 'utf8')) as never;
    const [mine, yours] = [await record(one), await record(other)];
    const ask = async (path: string, token: string | null): Promise<number> => (await fetch(`http://127.0.0.1:${mine.port}${path}`, token === null ? {} : { headers: { authorization: `Bearer ${token}` } })).status;
    for (const path of [`${GUEST_API_PREFIX}/health`, `${GUEST_API_PREFIX}/activity`, '/', '/proxy/3000/']) {
      for (const token of [null, 'wrong', yours.token, mine.token.slice(1)]) expect([path, await ask(path, token)]).toEqual([path, 401]);
    }
    expect(await ask(`${GUEST_API_PREFIX}/health`, mine.token)).toBe(200);
    for (const id of [one, other]) expect(await run('close', id)).toMatchObject({ state: 'succeeded' });
  });

  it.for(['open', 'save', 'close'] as const)('%s clicked the very moment Vessel is back after a kill -9 finds the work that was running', async (verb) => {
    const id = await opened('hasty');
    await inside(vessel.client, id, ['sh', '-c', 'echo precious > work.txt']);
    await vessel.kill9();
    await again();
    expect(await run(verb, id)).toMatchObject({ state: 'succeeded' });
    if (verb === 'close') expect(await fileInHead(vessel.client, vessel.home, id, 'work.txt')).toBe('precious\n');
    else {
      expect(await inside(vessel.client, id, ['cat', 'work.txt'])).toBe('precious\n');
      expect(await run('close', id)).toMatchObject({ state: 'succeeded' });
    }
    expect(await fileInHead(vessel.client, vessel.home, id, 'work.txt')).toBe('precious\n');
    expect(await remains(id)).toEqual([]);
  });

  it('quitting in the middle of an open interrupts it; Retry after the next start opens', async () => {
    const id = await create('quit');
    await traps.set('open.hydrate.before', 'stop');
    start('open', id).catch(() => undefined);
    await stoppedVessel('open to hydrate');
    process.kill(vessel.pid, 'SIGTERM');
    resume(vessel.pid);
    expect(await vessel.ended).toBe(0);
    await again();
    const interrupted = (await vessel.client.call('operations.list', { projectId: id })).operations.find(({ kind }) => kind === 'open');
    expect(interrupted).toMatchObject({ state: 'failed', error: { code: 'INTERRUPTED', retryable: true } });
    const { operationId } = await vessel.client.call('operations.retry', { operationId: interrupted?.id ?? '' });
    expect(await ended(operationId)).toMatchObject({ state: 'succeeded' });
    expect(await run('close', id)).toMatchObject({ state: 'succeeded' });
    expect(await remains(id)).toEqual([]);
  });

  it('an upload that Vessel died under leaves nothing after the next start', async () => {
    const outgoing = request({ host: '127.0.0.1', port: vessel.file.port, path: '/api/import?name=cut', method: 'POST', headers: { authorization: `Bearer ${vessel.file.secret}`, 'content-type': 'application/zip' } });
    outgoing.on('error', () => undefined);
    outgoing.write(Buffer.alloc(3_000_000));
    await until(async () => (await temporaryFiles(vessel.home)).length > 0, 'the upload to begin');
    await vessel.kill9();
    outgoing.destroy();
    await again();
    await until(async () => (await temporaryFiles(vessel.home)).length === 0, 'the upload to be swept away', 5_000);
  });
});

describe('two that want the same', () => {
  type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };
  const runServer = (home: string, ...args: readonly string[]): Promise<Ended> => new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [SERVER, '--no-open', '--json', ...args], { env: { ...process.env, VESSEL_HOME: home, VESSEL_DRIVER: 'process', VESSEL_UNSAFE_PROCESS_DRIVER: '1' }, stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => { output.stdout += chunk.toString(); });
    child.stderr.on('data', (chunk: Buffer) => { output.stderr += chunk.toString(); });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...output }));
  });

  it('a second server of one home points at the first; when that hangs it says ALREADY_RUNNING', { timeout: 60_000 }, async () => {
    const vessel = await startVessel({ driver: 'process' });
    try {
      const second = await runServer(vessel.home, '--port', '0');
      expect(second.code).toBe(0);
      expect(JSON.parse(second.stdout)).toMatchObject({ already: true, port: vessel.file.port, pid: vessel.pid });
      process.kill(vessel.pid, 'SIGSTOP');
      const third = await runServer(vessel.home, '--port', '0');
      expect(third).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('ALREADY_RUNNING') as string });
      resume(vessel.pid);
      await vessel.client.call('app.info', {});
    } finally {
      resume(vessel.pid);
      await vessel.stop();
      await endHome(vessel.home);
    }
  });

  it('says PORT_IN_USE for a taken port, and leaves the home free for the next try', async () => {
    const home = await makeHome();
    const holder = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => { holder.once('listening', resolve); });
    const { port } = holder.address() as AddressInfo;
    const refused = await runServer(home, '--port', String(port));
    expect(refused).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('PORT_IN_USE') as string });
    expect(refused.stderr).toContain('--port');
    await new Promise((resolve) => { holder.close(resolve); });
    const vessel = await startVessel({ home, driver: 'process' });
    await vessel.stop();
    await endHome(home);
  });
});
