// Vessel's tunnel beside OpenSSH's `ssh -L` over one sshd in one run; then whole environments on a host over SSH beside this computer, near and far.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, makeKey, me, scratch, startSshd } from '../../electron/core/adapters/ssh/testing/sshd.ts';
import { endHome } from '../e2e/home.ts';
import { startLoopbackHost } from '../e2e/loopback-host.ts';
import { startSlowWire } from '../e2e/slow-wire.ts';
import { makeTree } from '../e2e/tree.ts';
import { finish, startVessel, type RunningVessel } from '../e2e/vessel.ts';
import { note, rounds } from './host.ts';
import { repeat, stats, timed } from './stats.ts';
import { ANSWER, ASK, BIG_BYTES, startParty } from './tunnel-parts.ts';

const CONNECTIONS = 32;
const REQUESTS = 8_000;
const NEW_CONNECTIONS = 200;
/** Of a line in the same building (the relay's timers know no shorter one), and of one across a country. */
const ROUND_TRIP_MS = { building: 2, country: 40 } as const;
const DISTANT_CONNECTIONS = 60;
/** Of a line between continents, and of a bad one. */
const FAR = { rttMs: 80, loss: 0.01 };
const KEYS = 40;
const only = (part: string): boolean => process.argv.some((argument) => argument.endsWith('-only') && argument !== `--${part}-only`);

/** Asks over one connection, one request after the other, until `more` says no. */
function ask(port: number, more: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let got = 0;
    const next = (): void => { if (more()) socket.write(ASK); else { socket.destroy(); resolve(); } };
    socket.on('connect', next);
    socket.on('data', (data) => { got += data.length; if (got >= ANSWER.length) { got -= ANSWER.length; next(); } });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed')));
  });
}

async function load(port: number): Promise<number> {
  let left = REQUESTS;
  const { ms } = await timed(() => Promise.all(Array.from({ length: CONNECTIONS }, () => ask(port, () => left-- > 0))));
  return REQUESTS / ms * 1000;
}

async function fresh(port: number, connections = NEW_CONNECTIONS): Promise<readonly number[]> {
  const sample: number[] = [];
  for (let index = 0; index < connections; index += 1) {
    let asked = false;
    sample.push((await timed(() => ask(port, () => !asked && (asked = true)))).ms);
  }
  return sample;
}

async function big(port: number): Promise<number> {
  const { ms } = await timed(() => new Promise<void>((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let got = 0;
    socket.write('GET /big HTTP/1.1\r\n\r\n');
    socket.on('data', (data) => { got += data.length; if (got >= BIG_BYTES) { socket.destroy(); resolve(); } });
    socket.on('error', reject);
  }));
  return BIG_BYTES / 1e6 / ms * 1000;
}

async function openssh(target: { readonly port: number; readonly key: string }, to: number): Promise<{ readonly port: number; readonly child: ChildProcess }> {
  const port = await freePort();
  const child = spawn('ssh', ['-N', '-L', `127.0.0.1:${port}:127.0.0.1:${to}`, '-p', String(target.port), '-i', target.key, '-F', 'none', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'ExitOnForwardFailure=yes', `${me}@127.0.0.1`], { stdio: 'ignore' });
  for (let tries = 0; tries < 200; tries += 1) {
    if (await new Promise((resolve) => { const socket = connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); }).on('error', () => resolve(false)); })) return { port, child };
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  child.kill();
  throw new Error('ssh -L did not come up');
}

async function tunnels(): Promise<unknown> {
  const folder = scratch();
  const key = makeKey(folder, 'person');
  const sshd = await startSshd({ authorized: [key.publicLine] });
  const server = await startParty({ role: 'server' });
  const ours = await startParty({ role: 'tunnel', target: `${me}@127.0.0.1:${sshd.port}`, key: key.path, fingerprint: sshd.hostKey.fingerprint, to: server.port });
  const theirs = await openssh({ port: sshd.port, key: key.path }, server.port);
  const ports = { vessel: ours.port, openssh: theirs.port };
  const results = { vessel: { rate: [] as number[], fresh: [] as number[], big: [] as number[] }, openssh: { rate: [] as number[], fresh: [] as number[], big: [] as number[] } };
  try {
    for (let round = 0; round <= rounds(5); round += 1) {
      for (const name of ['vessel', 'openssh'] as const) {
        const rate = await load(ports[name]);
        const times = await fresh(ports[name]);
        const speed = await big(ports[name]);
        note(`${name}: ${Math.round(rate)} requests/s, new connection p95 ${stats(times).p95} ms, ${Math.round(speed)} MB/s`);
        if (round === 0) continue; // both warm up
        results[name].rate.push(rate);
        results[name].fresh.push(...times);
        results[name].big.push(speed);
      }
    }
  } finally {
    theirs.child.kill();
    await ours.end();
    await server.end();
    await sshd.stop();
    await rm(folder, { recursive: true, force: true });
  }
  const summary = (name: keyof typeof results) => ({ requestsPerSecond: stats(results[name].rate), newConnectionMs: stats(results[name].fresh), megabytesPerSecond: stats(results[name].big) });
  const [vessel, peer] = [summary('vessel'), summary('openssh')];
  return {
    connections: CONNECTIONS, vessel, openssh: peer,
    ratios: { requests: round2(vessel.requestsPerSecond.median / peer.requestsPerSecond.median), newConnectionP95: round2(vessel.newConnectionMs.p95 / peer.newConnectionMs.p95), megabytes: round2(vessel.megabytesPerSecond.median / peer.megabytesPerSecond.median) },
  };
}
/** New connections over a line with a round trip: what opening a channel costs shows only there. */
async function distantTunnels(roundTripMs: number): Promise<unknown> {
  const folder = scratch();
  const key = makeKey(folder, 'person');
  const sshd = await startSshd({ authorized: [key.publicLine] });
  const wire = await startSlowWire(sshd.port, { rttMs: roundTripMs, loss: 0 });
  const server = await startParty({ role: 'server' });
  const ours = await startParty({ role: 'tunnel', target: `${me}@127.0.0.1:${wire.port}`, key: key.path, fingerprint: sshd.hostKey.fingerprint, to: server.port });
  const theirs = await openssh({ port: wire.port, key: key.path }, server.port);
  try {
    for (const port of [ours.port, theirs.port]) await fresh(port, 3);
    const [vessel, peer] = [stats(await fresh(ours.port, DISTANT_CONNECTIONS)), stats(await fresh(theirs.port, DISTANT_CONNECTIONS))];
    note(`over ${roundTripMs} ms, a new connection and its first answer: vessel p95 ${vessel.p95} ms, openssh p95 ${peer.p95} ms`);
    return { roundTripMs, vesselMs: vessel, opensshMs: peer, ratioP95: round2(vessel.p95 / peer.p95) };
  } finally {
    theirs.child.kill();
    await ours.end();
    await server.end();
    await wire.close();
    await sshd.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
const round2 = (value: number): number => Math.round(value * 100) / 100;

/** The milliseconds from a key to its echo in a terminal of the environment. */
async function typing(vessel: RunningVessel, projectId: string): Promise<readonly number[]> {
  const sample: number[] = [];
  let execId = '';
  let typedAt = 0;
  const press = async (): Promise<void> => { typedAt = performance.now(); await vessel.client.call('exec.input', { execId, data: Buffer.from('x').toString('base64') }); };
  for await (const item of vessel.client.stream('exec.run', { projectId, argv: ['cat'], pty: { cols: 80, rows: 24 } })) {
    if (item.kind === 'started') { execId = item.execId; void press(); }
    else if (item.kind === 'stdout') {
      sample.push(performance.now() - typedAt);
      if (sample.length >= KEYS) break;
      void press();
    }
  }
  return sample;
}

async function environments(): Promise<unknown> {
  const near = await startLoopbackHost({ driver: 'qemu' });
  const vessel = await startVessel({ env: near.env });
  const far = await startLoopbackHost({ driver: 'qemu', via: async (port) => startSlowWire(port, FAR) });
  const scratchFolder = await mkdtemp(join(tmpdir(), 'vsl-bench-tunnel-'));
  const { client } = vessel;
  const run = async (started: Promise<{ readonly operationId: string }>): Promise<unknown> => (await finish(client, (await started).operationId)).operation.result;
  try {
    await run(client.call('hosts.provision', { hostId: 'local' }));
    const hosts = { local: 'local', near: (await near.addTo(client, 'Near')).id, far: (await far.addTo(client, 'Distant')).id };
    // The agent of both is told its home by its command, and Vessel has one command for all: the distant one shares the near one's home.
    const { id: projectId } = await client.call('projects.create', { name: 'bench', template: 'node' });
    const open = (hostId: string) => async (): Promise<void> => { await run(client.call('environments.open', { projectId, hostId })); };
    const discard = async (): Promise<void> => { await run(client.call('environments.discard', { projectId, confirm: projectId })); };
    const opened: Record<'local' | 'near' | 'far', number[]> = { local: [], near: [], far: [] };
    for (let round = 0; round <= rounds(5); round += 1) {
      for (const name of ['local', 'near', 'far'] as const) {
        const [ms = Number.NaN] = await repeat(1, open(hosts[name]), discard);
        note(`open on ${name}: ${Math.round(ms)} ms`);
        if (round > 0) opened[name].push(ms);
      }
    }
    await open(hosts.far)();
    const keys = stats(await typing(vessel, projectId));
    await discard();
    const summary = { local: stats(opened.local), near: stats(opened.near), far: stats(opened.far) };
    const tree = join(scratchFolder, 'tree');
    await makeTree(tree);
    const upload: Record<string, number> = {};
    const imported = await client.call('projects.import', { path: tree, name: 'tree' });
    await finish(client, imported.operationId);
    for (const name of ['local', 'near', 'far'] as const) {
      const result = await run(client.call('environments.open', { projectId: imported.projectId, hostId: hosts[name] })) as { readonly timings: readonly { readonly stage: string; readonly ms: number }[] };
      upload[name] = result.timings.find(({ stage }) => stage === 'hydrate')?.ms ?? Number.NaN;
      note(`60 MB tree to ${name}: ${upload[name]} ms`);
      await run(client.call('environments.discard', { projectId: imported.projectId, confirm: imported.projectId }));
    }
    return {
      openToAnsweringMs: summary, remoteMinusLocalMs: round2(summary.near.median - summary.local.median), treeUploadMs: upload,
      far: { ...FAR, emulatedBy: 'a relay (this kernel has no netem): delay and retransmission, no congestion window', keyToEchoMs: keys },
    };
  } finally {
    await vessel.stop();
    await endHome(vessel.home);
    await near.stop();
    await far.stop();
    await rm(scratchFolder, { recursive: true, force: true });
  }
}

const tunnel = only('tunnel') ? 'skipped' : { near: await tunnels(), newConnections: { building: await distantTunnels(ROUND_TRIP_MS.building), country: await distantTunnels(ROUND_TRIP_MS.country) } };
process.stdout.write(`${JSON.stringify({ tunnel, environments: only('environments') ? 'skipped' : await environments() })}\n`);
process.exit(0);
