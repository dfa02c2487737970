import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endHome, guestPid, inside, remainsOf } from './home.ts';
import { agentOf, processState, resume, until } from './processes.ts';
import { Traps } from './traps.ts';
import { finish, makeHome, startVessel } from './vessel.ts';

const AGENT = fileURLToPath(new URL('../../out/host/infra-agent.mjs', import.meta.url));
const DEADLINE_MS = 6_000;

describe('a real machine that does not answer', () => {
  let home: string;
  let traps: Traps;
  beforeAll(async () => {
    home = await makeHome();
    traps = new Traps(await mkdtemp(join(tmpdir(), 'vsl-traps-')));
    await traps.prepare();
  });
  afterAll(async () => {
    await endHome(home);
    await rm(traps.folder, { recursive: true, force: true });
  });

  it('is given up within its deadline as GUEST_TIMEOUT, and nothing of it is left', async () => {
    await traps.set('agent.identity', 'stop');
    const agent = spawn(process.execPath, [AGENT, 'start', 'silent', '--mode', 'clone', '--deadline-ms', String(DEADLINE_MS)], {
      env: { ...process.env, VESSEL_HOME: home, VESSEL_FAULT: `@${traps.folder}` }, stdio: ['ignore', 'pipe', 'ignore'],
    });
    let output = '';
    agent.stdout.on('data', (chunk: Buffer) => { output += chunk.toString(); });
    const ended = new Promise<number | null>((resolve) => { agent.once('close', resolve); });
    await until(async () => await processState(agent.pid ?? 0) === 'T' || agent.exitCode !== null, 'the machine to run', 60_000);
    const machine = await guestPid(home, 'silent') ?? 0;
    process.kill(machine, 'SIGSTOP');
    const began = Date.now();
    resume(agent.pid ?? 0);
    expect(await ended).toBe(1);
    expect(JSON.parse(output)).toMatchObject({ status: 'error', error: { code: expect.stringMatching(/GUEST_TIMEOUT|GUEST_UNREACHABLE/) as string, retryable: true, hint: expect.stringMatching(/.+/) as string } });
    expect(Date.now() - began).toBeLessThan(DEADLINE_MS * 4);
    expect(await remainsOf(home, ['silent'], [])).toEqual([]);
  });

  it('is kept with its work while it hangs, and saved when it answers again', async () => {
    const vessel = await startVessel({ home });
    try {
      const { id } = await vessel.client.call('projects.create', { name: 'hanging', template: 'blank' });
      await finish(vessel.client, (await vessel.client.call('environments.open', { projectId: id })).operationId);
      await inside(vessel.client, id, ['sh', '-c', 'echo kept > work.txt']);
      const machine = await guestPid(home, id) ?? 0;
      process.kill(machine, 'SIGSTOP');
      const { operation } = await finish(vessel.client, (await vessel.client.call('environments.close', { projectId: id })).operationId, { allowFailure: true });
      expect(operation).toMatchObject({ state: 'failed', error: { code: expect.stringMatching(/GUEST_TIMEOUT|GUEST_UNREACHABLE/) as string, retryable: true } });
      expect(await vessel.client.call('projects.get', { projectId: id })).toMatchObject({ environment: { state: 'running' } });
      resume(machine);
      const { operationId } = await vessel.client.call('operations.retry', { operationId: operation.id });
      expect((await finish(vessel.client, operationId)).operation).toMatchObject({ result: { changed: true } });
      expect(await remainsOf(home, [id], [vessel.pid, await agentOf(vessel.pid) ?? 0])).toEqual([]);
    } finally {
      await vessel.stop();
    }
  });
});
