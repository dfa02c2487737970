import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../../build/testing/describe-unless.ts';
import { socketDirFor } from '../drivers/qemu/socket-dir.ts';
import { cannotRunMachines, quietContext, realHost } from '../real-host.test-helper.ts';
import type { RealHost } from '../real-host.test-helper.ts';
import { findProcesses } from '../system/process-identity.ts';

const why = cannotRunMachines();

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const CLONE_STAGES = ['record', 'disk', 'network', 'hypervisor', 'restore', 'resume', 'identity', 'ready', 'route'] as const;
const COLD_STAGES = ['boot', 'identity'] as const;

describeUnless(why, 'after a kill -9 of infra-agent', () => {
  let real: RealHost;
  beforeAll(async () => {
    real = await realHost();
    await real.host.provision({ dryRun: false, tiers: ['medium'] }, quietContext());
  }, 20 * 60_000);
  afterAll(() => real.dispose());

  /** A start by an agent that dies, as by kill -9, when it enters the stage. */
  async function startThatDies(id: string, stage: string, mode: string): Promise<void> {
    const child = spawn(process.execPath, [MAIN, 'start', id, '--mode', mode, '--home', real.home, '--cache', real.cache], { stdio: 'ignore', env: { ...process.env, VESSEL_FAULT: stage } });
    const [, signal] = await once(child, 'exit') as [number | null, string | null];
    expect(signal).toBe('SIGKILL');
  }

  async function nothingIsLeft(id: string): Promise<void> {
    const directory = `${real.paths.vms}/${id}`;
    const socketDir = socketDirFor(real.paths.run, directory);
    expect(await findProcesses(({ argv }) => argv.some((argument) => argument.includes(socketDir)))).toEqual([]);
    expect([directory, socketDir, `${real.paths.traefik}/${id}.yml`].filter((path) => existsSync(path))).toEqual([]);
    expect((await real.host.list({}, quietContext())).vms).toEqual([]);
  }

  for (const [mode, stages] of [['clone', CLONE_STAGES], ['cold', COLD_STAGES]] as const) {
    for (const stage of stages) {
      it(`in the stage "${stage}" of a ${mode}, the VM is known, explained, and removed without a trace`, async () => {
        const id = `dies-${mode}-${stage}`;
        await startThatDies(id, stage, mode);
        const { vms } = await real.host.list({}, quietContext());
        expect(vms.map((vm) => vm.id)).toEqual([id]);
        // Its last record may already say that it runs: then it really does.
        expect(vms[0]?.state === 'broken' ? vms[0].problem : vms[0]?.state).toMatch(/interrupted|running/);
        expect(await real.host.stop({ id }, quietContext())).toEqual({ status: 'success', existed: true });
        await nothingIsLeft(id);
      });
    }
  }

  it('running VMs live on and a new agent finds them', async () => {
    const child = spawn(process.execPath, [MAIN, 'serve', '--home', real.home, '--cache', real.cache], { stdio: ['pipe', 'pipe', 'ignore'] });
    child.stdin.write(`${JSON.stringify({ v: 1, type: 'request', id: 1, method: 'start', params: { id: 'survivor', mode: 'clone' } })}\n`);
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => { output += chunk; });
    await expect.poll(() => output.includes('"type":"result"'), { timeout: 120_000 }).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await real.another().inspect({ id: 'survivor' }, quietContext())).toMatchObject({ state: 'running', startKind: 'clone' });
    await real.host.stop({ id: 'survivor' }, quietContext());
    await nothingIsLeft('survivor');
  });

  it('a start whose caller goes away is cancelled and leaves nothing', async () => {
    const child = spawn(process.execPath, [MAIN, 'serve', '--home', real.home, '--cache', real.cache], { stdio: ['pipe', 'pipe', 'ignore'] });
    child.stdin.write(`${JSON.stringify({ v: 1, type: 'request', id: 1, method: 'start', params: { id: 'orphan', mode: 'cold' } })}\n`);
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => { output += chunk; });
    await expect.poll(() => output.includes('"stage":"boot"'), { timeout: 60_000 }).toBe(true);
    child.stdin.end();
    await once(child, 'exit');
    await nothingIsLeft('orphan');
  });

  it('a hypervisor that is killed is noticed, told about, and its VM removed', async () => {
    await real.host.start({ id: 'shot', tier: 'medium', mode: 'clone', timezone: 'UTC', env: {}, deadlineMs: 120_000 }, quietContext());
    const { pid } = await real.host.inspect({ id: 'shot' }, quietContext());
    process.kill(pid ?? 0, 'SIGKILL');
    await expect.poll(async () => (await real.host.inspect({ id: 'shot' }, quietContext())).state, { timeout: 5_000 }).toBe('broken');
    await real.host.stop({ id: 'shot' }, quietContext());
    await nothingIsLeft('shot');
  });
});
