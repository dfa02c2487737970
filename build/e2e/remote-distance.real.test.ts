import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../testing/describe-unless.ts';
import { whyNoSshd } from '../../electron/core/adapters/ssh/testing/sshd.ts';
import { ideStatus } from './gateway-visit.ts';
import { endHome, fileInHead, inside, remainsOf } from './home.ts';
import { startLoopbackHost, type LoopbackHost } from './loopback-host.ts';
import { startSlowWire } from './slow-wire.ts';
import { finish, startVessel, type RunningVessel } from './vessel.ts';

/** Of a bad line to another continent. */
const FAR = { rttMs: 80, loss: 0.01 };
const KEYS = 20;
/** A round trip, at most two losses on the way of one key, and a machine that is busy. */
const ECHO_MS = 3 * FAR.rttMs + 150;

describeUnless(whyNoSshd(), 'a host over SSH that is 80 ms away and loses one packet in a hundred', () => {
  let far: LoopbackHost;
  let vessel: RunningVessel;
  beforeAll(async () => {
    far = await startLoopbackHost({ driver: 'process', via: async (port) => startSlowWire(port, FAR) });
    vessel = await startVessel({ driver: 'process', env: far.env });
  });
  afterAll(async () => {
    await vessel.stop();
    await endHome(vessel.home);
    await far.stop();
  });

  it('is opened, typed on, saved and closed as a near one, with nothing lost on the way', async () => {
    const { client } = vessel;
    const { id: hostId } = await far.addTo(client);
    const { id: projectId } = await client.call('projects.create', { name: 'Overseas', template: 'node', hostId });
    await finish(client, (await client.call('environments.open', { projectId })).operationId);
    expect(await ideStatus(vessel, projectId)).toBe(200);

    const echoes: number[] = [];
    let execId = '';
    let typedAt = 0;
    let typed = '';
    const press = async (): Promise<void> => { typedAt = performance.now(); await client.call('exec.input', { execId, data: Buffer.from('x').toString('base64') }); };
    for await (const item of client.stream('exec.run', { projectId, argv: ['cat'] })) {
      if (item.kind === 'started') { execId = item.execId; await press(); }
      if (item.kind !== 'stdout') continue;
      typed += Buffer.from(item.data, 'base64').toString();
      echoes.push(performance.now() - typedAt);
      if (echoes.length >= KEYS) break;
      await press();
    }
    expect(typed).toBe('x'.repeat(KEYS));
    expect(echoes.toSorted((one, other) => one - other)[KEYS / 2]).toBeLessThan(ECHO_MS);

    const words = randomUUID();
    await inside(client, projectId, ['sh', '-c', `head -c 3000000 /dev/urandom > noise.bin; printf %s ${words} > edit.txt`]);
    await finish(client, (await client.call('environments.close', { projectId })).operationId);
    expect(await fileInHead(client, vessel.home, projectId, 'edit.txt')).toBe(words);
    expect(await remainsOf(far.home, [projectId], await far.agents())).toEqual([]);
  });
});
