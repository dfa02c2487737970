import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../../build/testing/describe-unless.ts';
import { socketDirFor } from '../drivers/qemu/socket-dir.ts';
import { AgentProcess, verbThatDies } from './agent-process.test-helper.ts';
import { cannotRunMachines, quietContext, realHost } from '../real-host.test-helper.ts';
import type { RealHost } from '../real-host.test-helper.ts';
import { findProcesses } from '../system/process-identity.ts';

const why = cannotRunMachines();

const CLONE_STAGES = ['record', 'disk', 'network', 'hypervisor', 'restore', 'resume', 'identity', 'ready', 'route'] as const;
const COLD_STAGES = ['boot', 'identity'] as const;

describeUnless(why, 'after a kill -9 of infra-agent', () => {
  let real: RealHost;
  beforeAll(async () => {
    real = await realHost();
    await real.host.provision({ dryRun: false, tiers: ['medium'] }, quietContext());
  }, 20 * 60_000);
  afterAll(() => real.dispose());

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
        await verbThatDies(real, ['start', id, '--mode', mode], stage);
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
    const agent = new AgentProcess(real);
    await agent.ask('start', { id: 'survivor', mode: 'clone' });
    await agent.kill();
    expect(await real.another().inspect({ id: 'survivor' }, quietContext())).toMatchObject({ state: 'running', startKind: 'clone' });
    await real.host.stop({ id: 'survivor' }, quietContext());
    await nothingIsLeft('survivor');
  });

  it('a start whose caller goes away is cancelled and leaves nothing', async () => {
    const agent = new AgentProcess(real);
    const start = agent.ask('start', { id: 'orphan', mode: 'cold' });
    start.catch(() => undefined); // its agent ends, which is the point
    await expect.poll(() => agent.output.includes('"stage":"boot"'), { timeout: 60_000 }).toBe(true);
    await agent.end();
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
