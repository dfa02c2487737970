import { randomUUID } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../testing/describe-unless.ts';
import type { Project } from '#shared/project.ts';
import { whyNoSshd } from '../../electron/core/adapters/ssh/testing/sshd.ts';
import { ideStatus } from './gateway-visit.ts';
import { damagedRevisions, endHome, fileInHead, filesThatHold, inside, remainsOf } from './home.ts';
import { startLoopbackHost, type LoopbackHost } from './loopback-host.ts';
import { enterPort } from './port-visitor.ts';
import { until } from './processes.ts';
import { finish, makeHome, startVessel, vesselCli, type RunningVessel } from './vessel.ts';

const LISTENER = 'const { writeFileSync } = require("fs"); require("http").createServer((_, answer) => answer.end("the port " + port)).listen(0, "127.0.0.1", function () { port = this.address().port; writeFileSync("pid.txt", String(process.pid)); writeFileSync("port.txt", String(port)); }); let port = 0;';

describeUnless(whyNoSshd(), 'an environment on a host over SSH', () => {
  let far: LoopbackHost;
  let vessel: RunningVessel;
  let hostId = '';
  const home = makeHome();
  const call: RunningVessel['client']['call'] = (...args) => vessel.client.call(...args);
  const run = async (started: Promise<{ readonly operationId: string }>): Promise<unknown> => (await finish(vessel.client, (await started).operationId)).operation.result;
  const get = (projectId: string): Promise<Project> => call('projects.get', { projectId });
  const create = async (name: string): Promise<string> => (await call('projects.create', { name, template: 'node', hostId })).id;
  const remains = async (projectId: string): Promise<readonly string[]> => (await remainsOf(far.home, [projectId], await far.agents())).filter((line) => line.includes(projectId));
  /** What the gateway says to a browser that asks for the environment's page. */
  const visit = (projectId: string): Promise<{ readonly status: number; readonly body: string }> => new Promise((resolve, reject) => {
    const { port, secret } = vessel.file;
    const outgoing = request({ host: '127.0.0.1', port, path: '/', agent: false, headers: { host: `${projectId}.localhost:${port}`, authorization: `Bearer ${secret}`, accept: 'text/html' } }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => { body += text; }).on('end', () => resolve({ status: answer.statusCode ?? 0, body }));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });

  beforeAll(async () => {
    far = await startLoopbackHost({ driver: 'process' });
    vessel = await startVessel({ home: await home, driver: 'process', env: far.env });
    const host = await far.addTo(vessel.client);
    expect(host).toMatchObject({ id: 'far', status: 'ready', connection: { state: 'connected' } });
    hostId = host.id;
  });
  afterAll(async () => {
    await vessel.stop();
    await endHome(await home);
    await far.stop();
  });

  it('opens, runs commands, shows its ports, saves and closes as one on this computer, and leaves nothing there', async () => {
    const projectId = await create('Shop');
    expect(await run(call('environments.open', { projectId }))).toMatchObject({ state: 'running' });
    expect(await get(projectId)).toMatchObject({ hostId, environment: { hostId, state: 'running' } });
    expect((await get(projectId)).environment?.connection).toBeUndefined();
    expect(await ideStatus(vessel, projectId)).toBe(200);

    const secret = `marker-${randomUUID()}`;
    await inside(vessel.client, projectId, ['sh', '-c', `printf %s ${secret} > edit.txt`]);
    // A program of the environment that listens on its loopback, asked through the tunnel by the address that is shown for it.
    await inside(vessel.client, projectId, ['sh', '-c', `setsid -f '${process.execPath}' -e '${LISTENER}' >/dev/null 2>&1`]);
    await until(async () => (await inside(vessel.client, projectId, ['sh', '-c', 'cat port.txt 2>/dev/null || true'])) !== '', 'a program of the environment to listen');
    const listening = Number(await inside(vessel.client, projectId, ['cat', 'port.txt']));
    const found = (await call('environments.ports', { projectId })).ports.find(({ port }) => port === listening);
    expect(await (await enterPort(found?.url ?? '')).get('/')).toMatchObject({ status: 200, body: `the port ${listening}` });
    await inside(vessel.client, projectId, ['sh', '-c', 'kill $(cat pid.txt); rm pid.txt port.txt']);
    expect((await call('environments.logs', { projectId })).lines.length).toBeGreaterThan(0);
    expect(await filesThatHold(far.home, secret)).not.toEqual([]);
    expect(await run(call('environments.save', { projectId }))).toMatchObject({ changed: true });
    expect(await fileInHead(vessel.client, vessel.home, projectId, 'edit.txt')).toBe(secret);
    await run(call('environments.close', { projectId }));
    expect((await get(projectId)).environment?.state).toBe('destroyed');
    expect(await remains(projectId)).toEqual([]);
    expect(await filesThatHold(far.home, secret)).toEqual([]);
  });

  it('is called reconnecting while the line is down, goes on there, and is back by itself', async () => {
    const projectId = await create('Away');
    await run(call('environments.open', { projectId }));
    await inside(vessel.client, projectId, ['sh', '-c', 'printf kept > edit.txt']);
    const rules = join(far.home, 'host', 'traefik');
    const rule = await readFile(join(rules, `${projectId}.yml`), 'utf8');
    far.wire.cut();
    await until(async () => (await get(projectId)).environment?.connection === 'reconnecting', 'the line to be missed');
    expect((await get(projectId)).environment?.state).toBe('running');
    // What is wrong with the rules of the host's Traefik by the time the line is back is put right.
    await rm(join(rules, `${projectId}.yml`));
    await writeFile(join(rules, 'long-gone.yml'), rule.replaceAll(projectId, 'long-gone'));
    expect(await visit(projectId)).toMatchObject({ status: 503, body: expect.stringContaining('Reconnecting to Far') as string });
    const held = ideStatus(vessel, projectId);
    far.wire.mend();
    expect(await Promise.race([held, ideStatus(vessel, projectId)])).toBeLessThan(504);
    await until(async () => (await get(projectId)).environment?.connection === undefined, 'the line to be back');
    await until(async () => await ideStatus(vessel, projectId) === 200, 'the environment to answer again');
    expect(await inside(vessel.client, projectId, ['cat', 'edit.txt'])).toBe('kept');
    expect(await readFile(join(rules, `${projectId}.yml`), 'utf8')).toBe(rule);
    expect(await readdir(rules)).toEqual([`${projectId}.yml`]);
    await run(call('environments.close', { projectId }));
  });

  it('keeps the old revision when the line breaks in the middle of a save, and the next try saves', async () => {
    const projectId = await create('Torn');
    await run(call('environments.open', { projectId }));
    await inside(vessel.client, projectId, ['sh', '-c', 'head -c 30000000 /dev/urandom > big.bin; printf torn > edit.txt']);
    const { operationId } = await call('environments.close', { projectId });
    await until(async () => (await call('operations.get', { operationId })).steps.find(({ id }) => id === 'read')?.state === 'running', 'the workspace to be read', 20_000, 2);
    far.wire.cut();
    const { operation } = await finish(vessel.client, operationId, { allowFailure: true });
    expect(operation.error).toMatchObject({ code: 'SSH_CONNECTION_LOST', retryable: true });
    expect(await get(projectId)).toMatchObject({ head: { rev: 1 }, environment: { state: 'running', connection: 'reconnecting', dirty: true } });
    far.wire.mend();
    await until(async () => (await get(projectId)).environment?.connection === undefined, 'the line to be back');
    await run(call('operations.retry', { operationId }));
    expect(await fileInHead(vessel.client, vessel.home, projectId, 'edit.txt')).toBe('torn');
    expect(await damagedRevisions(vessel.client, vessel.home, projectId)).toEqual([]);
    expect(await remains(projectId)).toEqual([]);
  });

  it('is found and adopted after Vessel was killed; one that Vessel forgot is offered for rescue', async () => {
    const projectId = await create('Adopted');
    await run(call('environments.open', { projectId }));
    await inside(vessel.client, projectId, ['sh', '-c', 'printf alive > edit.txt']);
    await vessel.kill9();
    vessel = await startVessel({ home: await home, driver: 'process', env: far.env });
    await until(async () => await ideStatus(vessel, projectId) === 200, 'the environment to be adopted');
    expect(await inside(vessel.client, projectId, ['cat', 'edit.txt'])).toBe('alive');
    await vessel.stop();

    const stranger = await startVessel({ driver: 'process', env: far.env });
    try {
      await far.addTo(stranger.client, 'Same');
      await until(async () => (await stranger.client.call('environments.orphans', {})).orphans.length > 0, 'the stranger to be seen');
      expect((await stranger.client.call('environments.orphans', {})).orphans).toEqual([expect.objectContaining({ hostId: 'same', vmId: projectId, knownProject: false })]);
      await finish(stranger.client, (await stranger.client.call('environments.rescue', { hostId: 'same', vmId: projectId })).operationId);
      expect(await fileInHead(stranger.client, stranger.home, projectId, 'edit.txt')).toBe('alive');
      expect((await stranger.client.call('environments.orphans', {})).orphans).toEqual([]);
    } finally {
      await stranger.stop();
      await endHome(stranger.home);
    }
    vessel = await startVessel({ home: await home, driver: 'process', env: far.env });
    await until(async () => (await get(projectId)).environment?.state === 'error', 'its end to be noticed');
    expect((await get(projectId)).environment?.error?.code).toBe('VM_DIED');
  });

  it('goes where it is sent: opened on another host, moved while at rest, refused by a host that is not there', async () => {
    const projectId = (await call('projects.create', { name: 'Mover', template: 'node' })).id;
    const opened = await vesselCli(vessel.env, ['open', projectId, '--host', hostId, '--json']);
    expect(opened.code, opened.stderr).toBe(0);
    expect(await get(projectId)).toMatchObject({ hostId, environment: { hostId, state: 'running' } });
    await expect(call('projects.move', { projectId, hostId: 'local' })).rejects.toMatchObject({ code: 'ILLEGAL_TRANSITION' });
    await inside(vessel.client, projectId, ['sh', '-c', 'printf far > edit.txt']);
    await run(call('environments.close', { projectId }));
    const moved = await vesselCli(vessel.env, ['project', 'move', projectId, 'local', '--json']);
    expect(moved.code, moved.stderr).toBe(0);
    await run(call('environments.open', { projectId }));
    expect(await get(projectId)).toMatchObject({ hostId: 'local', environment: { hostId: 'local' } });
    expect(await inside(vessel.client, projectId, ['cat', 'edit.txt'])).toBe('far');
    await run(call('environments.discard', { projectId, confirm: projectId }));
    await expect(call('environments.open', { projectId, hostId: 'nowhere' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    far.wire.cut();
    await expect(call('environments.open', { projectId, hostId })).rejects.toMatchObject({ retryable: true });
    expect((await get(projectId)).hostId).toBe('local');
    far.wire.mend();
  });
});
