import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Operation } from '#shared/operation.ts';
import { SaveResultSchema, type SaveResult } from '#shared/contract.ts';
import { describeUnless } from '../testing/describe-unless.ts';
import { endHome, fileInHead, inside } from './home.ts';
import { kill9, processState, until } from './processes.ts';
import { Traps } from './traps.ts';
import { finish, startVessel, type FinishedOperation, type RunningVessel } from './vessel.ts';

const canRunMachines = process.platform === 'linux' && process.getuid?.() === 0;

describeUnless(canRunMachines ? null : 'needs Linux and root (to set the rules that isolate guests)', 'Save & Exit of a machine in which programs write', () => {
  let vessel: RunningVessel;
  let traps: Traps;
  let id = '';
  const env = (): Record<string, string> => ({ VESSEL_FAULT: `@${traps.folder}` });
  beforeAll(async () => {
    traps = new Traps(await mkdtemp(join(tmpdir(), 'vsl-traps-')));
    await traps.prepare();
    vessel = await startVessel({ env: env() });
    await finish(vessel.client, (await vessel.client.call('hosts.provision', { hostId: 'local' })).operationId);
    id = (await vessel.client.call('projects.create', { name: 'Busy', template: 'blank' })).id;
  });
  afterAll(async () => {
    await vessel.stop();
    await endHome(vessel.home);
    await rm(traps.folder, { recursive: true, force: true });
  });

  const open = (): Promise<FinishedOperation> => vessel.client.call('environments.open', { projectId: id }).then(({ operationId }) => finish(vessel.client, operationId));
  const close = async (keepRunning = false): Promise<FinishedOperation> => finish(vessel.client, (await vessel.client.call('environments.close', { projectId: id, keepRunning })).operationId, { allowFailure: true });
  const shell = (script: string): Promise<string> => inside(vessel.client, id, ['bash', '-c', script]);
  /** A program that outlives the command which started it. */
  const start = (script: string, as = ''): Promise<string> => shell(`${as} setsid bash -c '${script}' </dev/null >/dev/null 2>&1 &`);
  const sizeOf = async (file: string): Promise<number> => Number(await shell(`stat -c %s ${file} 2>/dev/null || echo 0`));
  const grows = async (file: string): Promise<void> => {
    const before = await sizeOf(file);
    await until(async () => await sizeOf(file) > before, `${file} to grow`, 20_000);
  };
  const resultOf = ({ operation }: FinishedOperation): SaveResult => SaveResultSchema.parse(operation.result);
  const stepMs = ({ steps }: Operation, name: string): number => { const step = steps.find((one) => one.id === name); return (step?.endedAt ?? 0) - (step?.startedAt ?? 0); };

  it('takes no time for what is not there', async () => {
    await open();
    const closed = await close();
    expect(closed.operation.error).toBeNull();
    expect(resultOf(closed).stopped).toEqual([]);
    expect(stepMs(closed.operation, 'programs')).toBeLessThan(1500);
  });

  it('refuses with --keep-running while a log is written, names it, and everything goes on', async () => {
    await open();
    await start('while :; do echo line >> log.txt; sleep 0.1; done');
    await grows('log.txt');
    const { operation } = await close(true);
    expect(operation.error).toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('log.txt') as string });
    expect(operation.error?.message).toContain('while :; do echo line >> log.txt');
    await grows('log.txt');
  });

  it('lets everything go on when Vessel is killed while it holds the machine still', async () => {
    await open();
    // Ignores what it is asked, belongs to root, and starts children without end.
    await start('trap "" TERM HUP; while :; do (echo root >> root.log; sleep 0.02); done', 'sudo');
    await grows('root.log');
    await traps.set('close.read.before', 'stop');
    vessel.client.call('environments.close', { projectId: id }).catch(() => undefined);
    await until(async () => await processState(vessel.pid) === 'T', 'the machine to be held still', 120_000);
    await kill9(vessel.pid);
    await vessel.ended;
    vessel = await startVessel({ home: vessel.home, env: env() });
    const environment = async (): Promise<{ readonly state: string } | null> => (await vessel.client.call('projects.get', { projectId: id })).environment;
    await until(async () => (await environment())?.state === 'running', 'the environment to be found', 60_000).catch(async (error: unknown) => { throw new Error(`${String(error)}: ${JSON.stringify(await environment())} ${vessel.output()}`); });
    await grows('root.log');
  });

  it('saves, ends and names them all: one that ends, one of root that does not, one that holds a large file open', async () => {
    await open();
    // Beside it, what Git tracks in a folder that a rule leaves out.
    await shell('echo {} > package.json; mkdir -p node_modules/t node_modules/u; printf ours > node_modules/t/index.js; git init -q && git add -f . && git -c user.name=T -c user.email=t@example.org commit -qm all; echo x > node_modules/u/x.js');
    await start('trap "echo ended >> last-words.txt; exit" TERM; while :; do echo line >> log.txt; sleep 0.1; done');
    await start('trap "" TERM; exec 3>>large.bin; while :; do head -c 300000 /dev/zero >&3; sleep 0.02; done');
    await until(async () => await sizeOf('large.bin') > 6_000_000, 'a large file', 60_000);
    const closed = await close();
    expect(closed.operation.error).toBeNull();
    const { stopped = [] } = resultOf(closed);
    expect(stopped).toEqual(expect.arrayContaining([
      expect.objectContaining({ how: 'ended', command: expect.stringContaining('last-words') as string }),
      expect.objectContaining({ how: 'held', command: expect.stringContaining('root.log') as string }),
      expect.objectContaining({ how: 'held', wrote: ['large.bin'] }),
    ]));
    expect(await fileInHead(vessel.client, vessel.home, id, 'last-words.txt')).toBe('ended\n');
    expect(await fileInHead(vessel.client, vessel.home, id, 'node_modules/t/index.js')).toBe('ours');
    expect(await fileInHead(vessel.client, vessel.home, id, 'node_modules/u/x.js')).toBeNull();
    expect(resultOf(closed).revision.leftOut).toContainEqual({ path: 'node_modules/', reason: 'installed again from package.json, except what Git tracks' });
    expect((await fileInHead(vessel.client, vessel.home, id, 'root.log'))?.endsWith('root\n')).toBe(true);
    expect((await vessel.client.call('projects.get', { projectId: id })).environment?.state).toBe('destroyed');
  });
});
