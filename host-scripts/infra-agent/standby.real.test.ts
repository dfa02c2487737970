import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../../build/testing/describe-unless.ts';
import type { StartResult } from '#shared/host-protocol.ts';
import { guestActivity, guestHealth } from '../guest/guest-client.ts';
import { execInGuest } from '../guest/exec.test-helper.ts';
import { greetIde } from '../guest/rehearse-ide.ts';
import { AgentProcess } from './agent-process.test-helper.ts';
import { cannotRunMachines, quietContext, realHost } from '../real-host.test-helper.ts';
import type { RealHost } from '../real-host.test-helper.ts';

const why = cannotRunMachines();

const READY_MS = 120_000;

class Agent extends AgentProcess {
  async ready(): Promise<void> {
    await this.ask('standby', { tier: 'medium' });
    await expect.poll(async () => (await this.ask<'facts', { readonly standby: string }>('facts', {})).standby, { timeout: READY_MS, interval: 200 }).toBe('ready');
  }

  start(id: string): Promise<StartResult> { return this.ask('start', { id }); }
}

describeUnless(why, 'an environment that is kept ready', () => {
  let real: RealHost;
  let agents: Agent[] = [];
  const agent = (env?: Readonly<Record<string, string>>): Agent => { const one = new Agent(real, { VESSEL_STANDBY: 'eager', ...env }); agents.push(one); return one; };
  const kept = (): readonly string[] => existsSync(real.paths.standby) ? readdirSync(real.paths.standby) : [];
  /** Those of this home: a hypervisor has its console's file open. */
  const hypervisors = async (): Promise<number> => {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids.filter((pid) => { try { return readlinkSync(`/proc/${pid}/fd/1`).startsWith(`${real.home}/`); } catch { return false; /* it is gone */ } }).length;
  };
  const adopted = (started: StartResult): boolean => started.timings.some(({ stage }) => stage === 'adopt');

  beforeAll(async () => {
    real = await realHost();
    await real.host.provision({ dryRun: false, tiers: ['medium'] }, quietContext());
  }, 20 * 60_000);
  afterEach(async () => {
    for (const one of agents) await one.end();
    agents = [];
    for (const { id } of (await real.host.list({}, quietContext())).vms) await real.host.stop({ id }, quietContext());
  });
  afterAll(() => real.dispose());

  it('is nobody\'s until it is opened, then somebody like any clone; the next one follows', async () => {
    const one = agent();
    await one.ready();
    expect((await one.ask<'list', { readonly vms: readonly unknown[] }>('list', {})).vms).toEqual([]);
    const [record = ''] = kept();
    const started = await one.start('sb-one');
    expect([adopted(started), started.vm.state, started.vm.startKind]).toEqual([true, 'running', 'clone']);
    const { address, token } = started.vm;
    if (address === null || token === null) throw new Error('it has no address');
    const attempt = { signal: AbortSignal.timeout(20_000), attemptMs: 20_000 };
    const health = await guestHealth(address, token, attempt);
    expect(health).toMatchObject({ hostname: 'sb-one', ideReady: true });
    // VS Code watches nothing any more of what it was rehearsed with: it would be told of each change of the project as often.
    const watched = await execInGuest(started.vm, ['sh', '-c', 'for path in "$0" "$1"; do grep -h ^inotify /proc/$(pgrep -f "[s]tart-ide")/fdinfo/* | grep -c "ino:$(printf %x $(stat -c %i "$path")) "; done', '/home/workspace', '/home/vessel/.local/share/code-server/User']);
    expect([watched.stdout.trim().split('\n'), watched.stderr]).toEqual([['0', '0'], '']);
    // The greeting that it had already, as whoever it is now; nobody is counted as still connected, and nothing of it was ever in the project.
    const { changeCounter } = await guestActivity(address, token, attempt);
    expect(await greetIde(address, token, health.ide, attempt.signal)).toBe(true);
    expect((await guestActivity(address, token, attempt)).changeCounter).toBe(changeCounter);
    await expect.poll(async () => (await guestActivity(address, token, attempt)).open.ide, { timeout: 10_000 }).toBe(0);
    expect(one.output).not.toContain('without having been greeted');
    await expect(guestHealth(address, 'x'.repeat(64), attempt)).rejects.toMatchObject({ code: 'GUEST_UNAUTHORIZED' });
    expect(kept()).not.toContain(record);
    await one.ready();
    const second = await one.start('sb-two');
    expect(adopted(second)).toBe(true);
    expect(second.vm.token).not.toBe(token);
    expect(await real.another().inspect({ id: 'sb-two' }, quietContext())).toMatchObject({ state: 'running' });
    await one.ask('stop', { id: 'sb-one' });
    await one.ask('stop', { id: 'sb-two' });
    await one.ask('standby', { tier: null });
    await expect.poll(hypervisors, { timeout: 20_000 }).toBe(0);
  });

  it('falls asleep and wakes up as any other once it is somebody', async () => {
    const one = agent();
    await one.ready();
    const started = await one.start('sb-sleeps');
    expect(adopted(started)).toBe(true);
    await one.ask('standby', { tier: null });
    expect(await one.ask('hibernate', { id: 'sb-sleeps' })).toMatchObject({ vm: { state: 'hibernated' } });
    await expect.poll(hypervisors, { timeout: 20_000 }).toBe(0);
    const { vm: { address, token } } = await one.ask<'resume', StartResult>('resume', { id: 'sb-sleeps' });
    if (address === null || token === null) throw new Error('it has no address');
    expect(token).toBe(started.vm.token);
    expect(await guestHealth(address, token, { signal: AbortSignal.timeout(20_000), attemptMs: 20_000 })).toMatchObject({ hostname: 'sb-sleeps' });
    await one.ask('stop', { id: 'sb-sleeps' });
    expect(await hypervisors()).toBe(0);
  });

  it('serves the first of two opens at once; the second gets a fresh clone', async () => {
    const one = agent();
    await one.ready();
    const both = await Promise.all([one.start('sb-left'), one.start('sb-right')]);
    expect(both.map(adopted).filter(Boolean)).toHaveLength(1);
    expect(new Set(both.map(({ vm }) => vm.pid)).size).toBe(2);
  });

  it('is given up at any moment of its making, and asked for again', async () => {
    const one = agent();
    for (const afterMs of [0, 300, 800, 1_500, 3_000]) {
      await one.ask('standby', { tier: 'medium' });
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      await one.ask('standby', { tier: null });
    }
    await expect.poll(kept, { timeout: 20_000 }).toEqual([]);
    await one.ready();
  });

  it('is passed over once it has died', async () => {
    const one = agent();
    await one.ready();
    const [name = ''] = kept();
    const { processes } = JSON.parse(readFileSync(join(real.paths.standby, name, 'vm.json'), 'utf8')) as { readonly processes: readonly { readonly pid: number; readonly role: string }[] };
    process.kill(processes.find(({ role }) => role === 'hypervisor')?.pid ?? 0, 'SIGKILL');
    const started = await one.start('sb-after');
    expect([adopted(started), started.vm.state]).toEqual([false, 'running']);
    expect(kept()).not.toContain(name);
  });

  it('ends with its agent, and the next agent ends what a killed one left', async () => {
    const one = agent();
    await one.ready();
    await one.end();
    expect([kept(), await hypervisors()]).toEqual([[], 0]);
    const killed = agent();
    await killed.ready();
    const left = kept();
    await killed.kill();
    const next = agent();
    await next.ready();
    expect(kept()).not.toEqual(left);
    expect(kept()).toHaveLength(1);
    await next.end();
    expect([kept(), await hypervisors()]).toEqual([[], 0]);
  });

  for (const stage of ['adopt', 'adopted', 'identity', 'ready']) {
    it(`leaves nothing when its agent is killed in the stage "${stage}" of becoming somebody`, async () => {
      const dying = agent({ VESSEL_FAULT: stage });
      await dying.ready();
      const exit = once(dying.child, 'exit');
      dying.start('sb-dies').catch(() => undefined);
      expect((await exit)[1]).toBe('SIGKILL');
      await real.host.stop({ id: 'sb-dies' }, quietContext());
      const next = agent();
      await next.ready();
      await next.end();
      expect([kept(), await hypervisors(), existsSync(join(real.paths.vms, 'sb-dies'))]).toEqual([[], 0, false]);
    });
  }
});
