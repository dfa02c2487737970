import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../testing/describe-unless.ts';
import type { Operation } from '#shared/operation.ts';
import type { Project } from '#shared/project.ts';
import { ideStatus } from './gateway-visit.ts';
import { endHome, fileInHead, inside, remainsOf } from './home.ts';
import { agentOf, isAlive, until } from './processes.ts';
import { Traps } from './traps.ts';
import { finish, startVessel, type RunningVessel } from './vessel.ts';

const AGENT = fileURLToPath(new URL('../../out/host/infra-agent.mjs', import.meta.url));
const canRunMachines = process.platform === 'linux' && process.getuid?.() === 0;

for (const driver of ['process', 'qemu'] as const) {
  const skipped = driver === 'qemu' && !canRunMachines;

  describeUnless(skipped ? 'needs Linux and root (to set the rules that isolate guests)' : null, `an environment whose desktop goes away (${driver})`, () => {
    let vessel: RunningVessel;
    let traps: Traps;
    let id = '';
    const env = (): Record<string, string> => ({ VESSEL_FAULT: `@${traps.folder}` });
    beforeAll(async () => {
      traps = new Traps(await mkdtemp(join(tmpdir(), 'vsl-traps-')));
      await traps.prepare();
      vessel = await startVessel({ driver, env: env() });
      if (driver === 'qemu') await finish(vessel.client, (await vessel.client.call('hosts.provision', { hostId: 'local' })).operationId);
      id = (await vessel.client.call('projects.create', { name: 'Sleeper', template: 'blank' })).id;
    });
    afterAll(async () => {
      await vessel.stop();
      await endHome(vessel.home);
      await rm(traps.folder, { recursive: true, force: true });
    });

    const run = async (verb: 'open' | 'save' | 'close'): Promise<Operation> => (await finish(vessel.client, (await vessel.client.call(`environments.${verb}`, { projectId: id })).operationId, { allowFailure: true })).operation;
    const project = (): Promise<Project> => vessel.client.call('projects.get', { projectId: id });
    const state = async (): Promise<string | undefined> => (await project()).environment?.state;
    const write = (text: string): Promise<string> => inside(vessel.client, id, ['sh', '-c', `echo ${text} >> notes.txt`]);
    /** The desktop is killed; once its agent has ended, the host's timer comes round. */
    async function leave(): Promise<void> {
      const agent = await agentOf(vessel.pid);
      await vessel.kill9();
      await until(async () => agent === null || !await isAlive(agent), 'the agent of the killed desktop to end');
      const { stdout } = await promisify(execFile)(process.execPath, [AGENT, 'idle', '--idle-minutes', '0.001', '--home', vessel.home], { env: { ...vessel.env, VESSEL_FAULT: '' } });
      expect(JSON.parse(stdout)).toMatchObject({ status: 'success', desktopAway: true, hibernated: [id] });
    }
    async function comeBack(): Promise<void> {
      vessel = await startVessel({ home: vessel.home, driver, env: env() });
      await until(async () => ['hibernated', 'running', 'error'].includes(await state() ?? ''), 'the environment to be found');
    }

    it('is put to sleep by its host, and saved once by the desktop that comes back, without being ended', async () => {
      expect(await run('open')).toMatchObject({ state: 'succeeded' });
      await write('one');
      await leave();
      await comeBack();
      await until(async () => (await project()).environment?.dirty === true, 'the unsaved work to be known');
      expect(await run('save')).toMatchObject({ state: 'succeeded', result: { changed: true } });
      expect(await fileInHead(vessel.client, vessel.home, id, 'notes.txt')).toBe('one\n');
      expect((await project()).environment).toMatchObject({ state: 'hibernated', dirty: false, error: null });
      expect(await readdir(join(vessel.home, 'host', 'traefik'))).toEqual([]);
    });

    it('is woken by Open, with VS Code behind its own address', async () => {
      expect(await run('open')).toMatchObject({ state: 'succeeded' });
      // VS Code itself leads on to the folder's address; the stand-in answers at once.
      expect([200, 302]).toContain(await ideStatus(vessel, id));
      await write('two');
    });

    it.each(['resume.restore', 'resume.commit', 'resume.go', 'resume.wake', 'resume.done'].filter((stage) => driver === 'qemu' || stage !== 'resume.restore'))('is lost by no kill of infra-agent at "%s"', async (stage) => {
      const before = await inside(vessel.client, id, ['cat', 'notes.txt']);
      await leave();
      await comeBack();
      await traps.set(`agent.${stage}`, 'kill');
      expect(await run('open')).toMatchObject({ state: 'failed', error: { code: 'AGENT_LOST' } });
      expect(await run('open')).toMatchObject({ state: 'succeeded' });
      expect(await inside(vessel.client, id, ['cat', 'notes.txt'])).toBe(before);
    });

    it('is adopted when the desktop is killed right after its host has woken it', async () => {
      await write('three');
      await leave();
      await comeBack();
      await traps.set('wake.resumed', 'kill');
      const { operationId } = await vessel.client.call('environments.open', { projectId: id });
      await vessel.ended;
      await comeBack();
      await until(async () => await state() === 'running', 'the environment to be adopted');
      expect(operationId).not.toBe('');
      expect(await inside(vessel.client, id, ['cat', 'notes.txt'])).toBe('one\ntwo\nthree\n');
    });

    it('is woken, saved and ended by Save & Exit, and nothing of it is left', async () => {
      await leave();
      await comeBack();
      expect(await run('close')).toMatchObject({ state: 'succeeded' });
      expect(await fileInHead(vessel.client, vessel.home, id, 'notes.txt')).toBe('one\ntwo\nthree\n');
      expect((await remainsOf(vessel.home, [id], [vessel.pid, await agentOf(vessel.pid) ?? 0])).filter((what) => what.includes(id))).toEqual([]);
    });
  });
}
