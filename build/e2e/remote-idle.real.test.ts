import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../testing/describe-unless.ts';
import type { Project } from '#shared/project.ts';
import { whyNoSshd } from '../../electron/core/adapters/ssh/testing/sshd.ts';
import { endHome, fileInHead, filesThatHold, inside, remainsOf } from './home.ts';
import { startLoopbackHost, type LoopbackHost } from './loopback-host.ts';
import { until } from './processes.ts';
import { finish, startVessel, type RunningVessel } from './vessel.ts';

/** The shortest idle time that a project can have, and two rounds of Vessel's watch. */
const IDLE_DEADLINE_MS = 60_000 + 2 * 30_000 + 20_000;

describeUnless(whyNoSshd(), 'an environment on a host over SSH that nobody uses', () => {
  let far: LoopbackHost;
  let vessel: RunningVessel;
  let hostId = '';
  let idler = '';
  const call: RunningVessel['client']['call'] = (...args) => vessel.client.call(...args);
  const run = async (started: Promise<{ readonly operationId: string }>): Promise<unknown> => (await finish(vessel.client, (await started).operationId)).operation.result;
  const get = (projectId: string): Promise<Project> => call('projects.get', { projectId });
  const opened = async (name: string, settings: Partial<Project['settings']> = {}): Promise<string> => {
    const { id: projectId } = await call('projects.create', { name, template: 'blank', hostId, settings });
    await run(call('environments.open', { projectId }));
    return projectId;
  };
  const write = (projectId: string, text: string): Promise<string> => inside(vessel.client, projectId, ['sh', '-c', `printf %s ${text} > edit.txt`]);
  const state = async (projectId: string): Promise<string | undefined> => (await get(projectId)).environment?.state;
  const remains = async (projectId: string): Promise<readonly string[]> => (await remainsOf(far.home, [projectId], await far.agents())).filter((line) => line.includes(projectId));
  /** The line breaks, its agent ends as its caller is gone, and the host's timer comes round. */
  async function away(projectId: string): Promise<void> {
    far.wire.cut();
    await until(async () => (await far.agents()).length === 0, 'the agent to leave');
    await far.sleeps(projectId);
  }

  beforeAll(async () => {
    far = await startLoopbackHost({ driver: 'process' });
    vessel = await startVessel({ driver: 'process', env: far.env });
    hostId = (await far.addTo(vessel.client)).id;
  });
  afterAll(async () => {
    await vessel.stop();
    await endHome(vessel.home);
    await far.stop();
  });

  it('is not ended while its idle time has not passed', async () => {
    idler = await opened('Idler', { idleMinutes: 1, autosaveMinutes: 0 });
    await write(idler, 'unsaved');
    expect(await state(idler)).toBe('running');
  });

  it('is put to sleep by its host while the line is down, found asleep, and saved by the desktop without being asked', async () => {
    const projectId = await opened('Sleeper', { idleMinutes: 0, autosaveMinutes: 0 });
    await write(projectId, 'unsaved');
    await away(projectId);
    far.wire.mend();
    await until(async () => await state(projectId) === 'hibernated', 'the desktop to find it asleep', 30_000);
    expect((await get(projectId)).environment).toMatchObject({ dirty: true, error: null });
    await until(async () => (await get(projectId)).environment?.dirty === false, 'what it holds to be collected', 60_000, 200);
    expect(await fileInHead(vessel.client, vessel.home, projectId, 'edit.txt')).toBe('unsaved');
    await until(async () => await state(projectId) === 'hibernated', 'it to sleep on');
    await run(call('environments.open', { projectId }));
    expect(await inside(vessel.client, projectId, ['cat', 'edit.txt'])).toBe('unsaved');
    await run(call('environments.close', { projectId }));
    expect(await remains(projectId)).toEqual([]);
  });

  it('is discarded only by its name, awake or asleep, with nothing left there and the last revision as it was', async () => {
    const projectId = await opened('Discarded', { idleMinutes: 0, autosaveMinutes: 0 });
    for (const asleep of [false, true]) {
      if (asleep) await run(call('environments.open', { projectId }));
      const marker = `marker-${randomUUID()}`;
      await write(projectId, marker);
      if (asleep) {
        // What is not saved would be collected at any moment.
        await run(call('environments.save', { projectId }));
        await away(projectId);
        far.wire.mend();
        await until(async () => await state(projectId) === 'hibernated', 'the desktop to find it asleep', 30_000);
      }
      await expect(call('environments.discard', { projectId, confirm: 'Discarded' })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      await run(call('environments.discard', { projectId, confirm: projectId }));
      expect(await get(projectId)).toMatchObject({ head: { rev: asleep ? 2 : 1 }, environment: { state: 'destroyed' } });
      expect(await remains(projectId)).toEqual([]);
      expect(await filesThatHold(far.home, marker)).toEqual([]);
    }
  });

  it('whose discard met a broken line is gone once the line is back', async () => {
    const projectId = await opened('Decided', { idleMinutes: 0 });
    far.wire.cut();
    const { operationId } = await call('environments.discard', { projectId, confirm: projectId });
    const { operation } = await finish(vessel.client, operationId, { allowFailure: true });
    expect(operation.error).toMatchObject({ retryable: true });
    far.wire.mend();
    await until(async () => await state(projectId) === 'destroyed', 'the decision to be carried out', 30_000);
    expect(await remains(projectId)).toEqual([]);
  });

  it('is saved and ended by its desktop when its idle time has passed, with a plain copy left nowhere on the host', { timeout: IDLE_DEADLINE_MS + 60_000 }, async () => {
    const marker = `marker-${randomUUID()}`;
    // After the line was down it may have been put to sleep with the others: then it is woken first.
    if (await state(idler) !== 'running') await run(call('environments.open', { projectId: idler }));
    await write(idler, marker);
    expect(await filesThatHold(far.home, marker)).not.toEqual([]);
    await until(async () => await state(idler) === 'destroyed', 'the idle stop', IDLE_DEADLINE_MS, 500);
    expect((await call('history.list', { projectId: idler })).revisions[0]).toMatchObject({ reason: 'idle' });
    expect(await fileInHead(vessel.client, vessel.home, idler, 'edit.txt')).toBe(marker);
    expect(await remains(idler)).toEqual([]);
    expect(await filesThatHold(far.home, marker)).toEqual([]);
  });
});
