import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { identifyProcess } from '../../system/process-identity.ts';
import { launchUntilItBoots } from './boot-watch.ts';
import type { Machine } from './launch-machine.ts';
import { QmpClient } from './qmp-client.ts';

/** QMP that agrees to everything. */
function agreeable(): QmpClient {
  const stream = new PassThrough();
  const client = new QmpClient(stream);
  client.execute = () => Promise.resolve({});
  return client;
}

describe('the watch over an early boot', () => {
  let folder = '';
  let console = '';
  const children: ChildProcess[] = [];
  let launchedMachines = 0;
  const context = { signal: new AbortController().signal, stage: () => undefined, log: () => undefined };
  const machine = async (): Promise<Machine> => {
    const one = (): ChildProcess => spawn('sleep', ['60'], { stdio: 'ignore', detached: true });
    const pair = [one(), one()] as const;
    children.push(...pair);
    const [hypervisor, network] = await Promise.all(pair.map((child) => identifyProcess(child.pid ?? 0)));
    if (hypervisor == null || network == null) throw new Error('sleep did not start');
    launchedMachines += 1;
    return { qmp: agreeable(), hypervisor, network, port: 1, killed: () => false };
  };

  beforeEach(async () => {
    launchedMachines = 0;
    folder = await mkdtemp(join(tmpdir(), 'vessel-boot-'));
    console = join(folder, 'console.log');
    await writeFile(console, 'from an earlier attempt\n');
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  it('names a machine that ends before its kernel comes up', async () => {
    const launched = launchUntilItBoots(machine, console, context, Date.now() + 10_000);
    await expect.poll(() => launchedMachines, { timeout: 10_000 }).toBe(1);
    children[0]?.kill('SIGKILL');
    await expect(launched).rejects.toMatchObject({ code: 'VM_START_FAILED' });
  });

  it('gives up at the deadline when nothing is said', async () => {
    await expect(launchUntilItBoots(machine, console, context, Date.now() + 200)).rejects.toMatchObject({ code: 'GUEST_TIMEOUT' });
  });

  it('is over as soon as the guest prints something new', async () => {
    const launched = launchUntilItBoots(machine, console, context, Date.now() + 10_000);
    await expect.poll(() => launchedMachines, { timeout: 10_000 }).toBe(1);
    await appendFile(console, 'vessel: kernel up\n');
    expect((await launched).port).toBe(1);
  });
});
