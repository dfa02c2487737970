import { fork, type ChildProcess } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { DatabaseSync } from 'node:sqlite';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../electron/shared/error-codes.ts';
import { VesselError } from '#shared/errors.ts';
import type { Operation } from '#shared/operation.ts';
import { GUEST_TOKEN, enterHost, send, startTestGateway, type TestGateway } from '../../electron/core/adapters/gateway/test-gateway.ts';
import { guestConnector } from '../../electron/core/adapters/guest/guest-client.ts';
import type { GuestPatience } from '../../electron/core/adapters/guest/patience.ts';
import { makeWorld, type World } from '../../electron/core/testing/world.ts';
import type { HostileMessage } from './hostile-agent.ts';
import { MISBEHAVIORS, type Misbehavior } from './misbehaviors.ts';

const MB = 1024 * 1024;
/** What an agent may cost the host, each time: all that is awaited together, what a timer is late, what stays in memory and in the database. */
const BOUNDS = { ms: 10_000, lagMs: 2_000, peakBytes: 400 * MB, keptBytes: 64 * MB, databaseBytes: MB } as const;
const PATIENCE: GuestPatience = { questionMs: 1_000, quietMs: 3_000, answerMs: 500, stillMs: 500, refusalMs: 300, startMs: 500, paceMs: 300 };
const MAIN = fileURLToPath(new URL('hostile-agent.main.ts', import.meta.url));
const ID = 'page-k3f9';

let agent: ChildProcess;
let port: number;
let canary: Server;
let visits = 0;
let world: World;
let door: TestGateway;
let projectId: string;
let met = 0;
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const dial = (): Promise<Duplex> => new Promise((resolve, reject) => {
  const socket = connect(port, '127.0.0.1', () => resolve(socket)).once('error', (error) => reject(new VesselError('GUEST_UNREACHABLE', error.message)));
});
const hear = (kind: HostileMessage['kind']): Promise<HostileMessage> => new Promise((resolve) => {
  const listen = (message: HostileMessage): void => { if (message.kind === kind) { agent.off('message', listen); resolve(message); } };
  agent.on('message', listen);
});
async function arm(name: string | null): Promise<void> {
  const done = hear('armed');
  agent.send(name as unknown as string);
  await done;
}
const held = (): number => { const { heapUsed, external } = process.memoryUsage(); return heapUsed + external; };
function databaseSize(): number {
  const database = new DatabaseSync(`${world.home}/vessel.db`, { readOnly: true });
  try {
    return Number((database.prepare('SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()').get() as { readonly bytes: number }).bytes);
  } finally {
    database.close();
  }
}
const filesLeft = (): readonly string[] => readdirSync(world.home, { recursive: true }).map(String).filter((name) => !name.startsWith('vessel.db')).sort();

beforeAll(async () => {
  canary = createServer((_request, response) => { visits += 1; response.end('{}'); });
  await new Promise<void>((resolve) => { canary.listen(0, '127.0.0.1', resolve); });
  agent = fork(MAIN, [`http://127.0.0.1:${(canary.address() as AddressInfo).port}/`], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  agent.on('message', ({ kind }: HostileMessage) => { if (kind === 'met') met += 1; });
  const first = await hear('port');
  port = first.kind === 'port' ? first.port : 0;
  world = await makeWorld({ connectGuest: ({ token }) => guestConnector(PATIENCE)({ token, dial }) });
  const settings = world.context.store.settings.get();
  world.context.store.settings.put({ ...settings, limits: { ...settings.limits, maxArchiveBytes: 32 * MB, maxEntries: 50_000 } });
  projectId = (await world.opened()).id;
  door = await startTestGateway();
  door.routes.set(ID, { kind: 'running', token: GUEST_TOKEN, dial, ide: { name: 'code-server', version: '1', commit: null }, ideStaticDir: null });
});
afterAll(async () => {
  await door.close();
  await world.dispose();
  agent.kill();
  await new Promise((resolve) => { canary.close(resolve); });
});

async function through(operation: Promise<Operation>): Promise<void> {
  const { error } = await operation;
  if (error !== null) throw VesselError.fromShape(error);
}
/** What a person does while the agent misbehaves. */
async function drive({ drive: what }: Misbehavior): Promise<void> {
  const { client } = world.environments.context.live.get(projectId);
  switch (what) {
    case 'metrics': await client.metrics(); return;
    case 'ports': await client.ports(); return;
    case 'activity': await client.activity(); return;
    case 'save': await through(world.environments.save(projectId).done); return;
    case 'close': await through(world.environments.close(projectId).done); return;
    case 'open':
      await through(world.environments.discard(projectId, projectId).done);
      await through(world.environments.open(projectId).done);
      return;
    case 'exec':
      for await (const item of world.environments.exec(projectId, { argv: ['x'], cwd: '', env: {}, pty: null }, AbortSignal.timeout(1_500))) expect(item).toBeDefined();
      return;
    case 'page': {
      const host = `${ID}.localhost:${door.gateway.port}`;
      const cookie = await enterHost(door.gateway.urlFor({ projectId: ID, frame: false }).url);
      const answer = await send(door.gateway.port, host, '/', { headers: { cookie }, signal: AbortSignal.timeout(2_000) });
      expect(answer.headers['set-cookie'] ?? []).not.toContainEqual(expect.stringMatching(/domain|vessel-/i));
      if (answer.status >= 500) throw new VesselError('GUEST_UNREACHABLE', answer.body.slice(0, 1000));
    }
  }
}
/** The same machine with an agent that behaves: it is asked, runs a command and is saved, or is opened anew. */
async function worksAgain(): Promise<void> {
  await arm(null);
  if (world.environments.context.live.find(projectId) === null) await through(world.environments.open(projectId).done);
  // Something is new again.
  await arm(null);
  const before = world.state(projectId).head ?? 0;
  await through(world.environments.save(projectId).done);
  const { head } = world.projects.get(projectId);
  expect(head?.rev).toBe(before + 1);
  expect((await world.context.cold.readBack(projectId, head?.sha256 ?? '')).sha256).toBe(head?.sha256);
  let output = '';
  for await (const item of world.environments.exec(projectId, { argv: ['x'], cwd: '', env: {}, pty: null }, AbortSignal.timeout(5_000))) if (item.kind === 'stdout') output += Buffer.from(item.data, 'base64').toString();
  expect(output).toBe('hello');
}

describe('a hostile guest agent', () => {
  it('has at least fifty ways to misbehave, each with a name of its own', () => {
    expect(MISBEHAVIORS.length).toBeGreaterThanOrEqual(50);
    expect(new Set(MISBEHAVIORS.map(({ name }) => name)).size).toBe(MISBEHAVIORS.length);
  });

  it.each(MISBEHAVIORS)('is borne, and an honest one works afterwards: $name', async (row) => {
    await arm(null);
    if (world.environments.context.live.find(projectId) === null) await through(world.environments.open(projectId).done);
    await arm(row.name);
    met = 0;
    // Connections that were kept would be used again.
    world.environments.context.live.get(projectId).client.close();
    collect();
    const before = { head: world.state(projectId).head, memory: held(), database: databaseSize(), files: filesLeft() };
    let peak = 0;
    const sampler = setInterval(() => { peak = Math.max(peak, held() - before.memory); }, 20);
    const lag = monitorEventLoopDelay({ resolution: 10 });
    lag.enable();
    const began = performance.now();
    const thrown = await drive(row).then(() => null, (error: unknown) => error);
    const took = performance.now() - began;
    lag.disable();
    clearInterval(sampler);
    const error = thrown === null ? null : VesselError.from(thrown);
    // What the agent told before comes before its answer.
    await arm(null);

    expect(met, `the misbehavior was met (${error?.message ?? 'fine'})`).toBeGreaterThan(0);
    expect(row.ends, error?.stack ?? '').toContain(error?.code ?? 'fine');
    if (error !== null) {
      expect(Object.keys(ERROR_CODES)).toContain(error.code);
      expect(JSON.stringify(error.toShape()).length).toBeLessThan(30_000);
      expect(JSON.stringify([error.message, error.hint])).not.toMatch(/\\u00[01]|\u202e/);
      if (row.drive === 'save') expect(world.state(projectId).head).toBe(before.head);
      if (row.drive === 'save') expect(filesLeft()).toEqual(before.files);
    }
    expect(filesLeft().filter((name) => name.includes('.put-'))).toEqual([]);
    expect(took).toBeLessThan(BOUNDS.ms);
    expect(lag.max / 1e6).toBeLessThan(BOUNDS.lagMs);
    expect(peak).toBeLessThan(BOUNDS.peakBytes);
    expect(databaseSize() - before.database).toBeLessThan(BOUNDS.databaseBytes);
    expect(visits).toBe(0);
    expect(({} as { readonly polluted?: unknown }).polluted).toBeUndefined();
    await worksAgain();
    // Buffers are let go some turns after what held them.
    await expect.poll(() => { collect(); return held() - before.memory; }, { interval: 20 }).toBeLessThan(BOUNDS.keptBytes);
  });
});
