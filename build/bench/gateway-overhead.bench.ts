import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, createServer, request as httpRequest } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { parentPort, Worker } from 'node:worker_threads';
import { createGateway } from '../../electron/core/adapters/gateway/create-gateway.ts';

/**
 * What the gateway costs: the same small answer and the same 64 MB body, straight from a server and through the gateway.
 * Server, gateway and client run on threads of their own. Prints one JSON document; medians of {@link ROUNDS} rounds.
 */
const ROUNDS = 11;
const REQUESTS_A_ROUND = 2_000;
const LATENCY_SAMPLES = 300;
const CONNECTIONS = 16;
const BODY_BYTES = 64 * 1024 * 1024;
const ID = 'bench-k3f9';

type Role = { readonly role: 'server' } | { readonly role: 'gateway'; readonly upstream: number; readonly home: string };
type Route = { readonly port: number; readonly host: string; readonly authorization: string };

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const quantile = (values: readonly number[], q: number): number => [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * q)] ?? Number.NaN;
const round = (value: number, digits: number): number => Number(value.toFixed(digits));

function serve(): void {
  const chunk = Buffer.alloc(1024 * 1024);
  const server = createServer((request, response) => {
    if (request.url !== '/big') {
      response.end('hello');
      return;
    }
    let sent = 0;
    const more = (): void => {
      while (sent < BODY_BYTES) {
        sent += chunk.length;
        if (!response.write(chunk)) { response.once('drain', more); return; }
      }
      response.end();
    };
    more();
  });
  server.listen(0, '127.0.0.1', () => parentPort?.postMessage({ port: (server.address() as AddressInfo).port }));
}

async function serveGateway(upstream: number, home: string): Promise<void> {
  const dial = (): Promise<Duplex> => new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: upstream, noDelay: true });
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
  const route = { kind: 'running', token: 'x'.repeat(40), dial, ide: { name: 'code-server', version: '0', commit: null }, ideStaticDir: null } as const;
  const gateway = await createGateway({ routes: { resolve: () => route, noteWaiting: () => undefined, noteActivity: () => undefined }, home, cache: home, port: 0, log: () => undefined });
  parentPort?.postMessage({ port: gateway.port, bearer: gateway.bearer });
}

function ask(agent: Agent, route: Route, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ agent, host: '127.0.0.1', port: route.port, path, headers: { host: route.host, authorization: route.authorization } }, (answer) => {
      let bytes = 0;
      answer.on('data', (data: Buffer) => { bytes += data.length; });
      answer.on('end', () => answer.statusCode === 200 ? resolve(bytes) : reject(new Error(`status ${answer.statusCode ?? 0}`)));
      answer.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

async function measureRound(route: Route): Promise<{ readonly rate: number; readonly latencies: readonly number[]; readonly megabytesPerSecond: number }> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  let left = REQUESTS_A_ROUND;
  const began = performance.now();
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => { while (left-- > 0) await ask(agent, route, '/'); }));
  const rate = REQUESTS_A_ROUND / (performance.now() - began) * 1000;
  const latencies: number[] = [];
  for (let count = 0; count < LATENCY_SAMPLES; count += 1) {
    const start = performance.now();
    await ask(agent, route, '/');
    latencies.push(performance.now() - start);
  }
  const start = performance.now();
  const bytes = await ask(agent, route, '/big');
  const megabytesPerSecond = bytes / 1e6 / (performance.now() - start) * 1000;
  agent.destroy();
  return { rate, latencies, megabytesPerSecond };
}

async function startRole(role: Role): Promise<{ readonly worker: Worker; readonly port: number; readonly bearer: string }> {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: role });
  const ready = await new Promise<{ readonly port: number; readonly bearer?: string }>((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject); });
  return { worker, port: ready.port, bearer: ready.bearer ?? '' };
}

async function main(): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'vessel-bench-gateway-'));
  const server = await startRole({ role: 'server' });
  const gateway = await startRole({ role: 'gateway', upstream: server.port, home });
  const routes = {
    direct: { port: server.port, host: `127.0.0.1:${server.port}`, authorization: '' },
    gateway: { port: gateway.port, host: `${ID}.localhost:${gateway.port}`, authorization: `Bearer ${gateway.bearer}` },
  };
  const results = { direct: [] as Awaited<ReturnType<typeof measureRound>>[], gateway: [] as Awaited<ReturnType<typeof measureRound>>[] };
  for (let count = 0; count <= ROUNDS; count += 1) {
    // The two take turns, so that whatever else this machine does weighs on both. The first round only warms up.
    for (const name of ['direct', 'gateway'] as const) {
      const result = await measureRound(routes[name]);
      if (count > 0) results[name].push(result);
    }
    process.stderr.write(`gateway overhead: round ${count} of ${ROUNDS}\n`);
  }
  const summary = (name: 'direct' | 'gateway') => {
    const latencies = results[name].flatMap((result) => result.latencies);
    return {
      requestsPerSecond: Math.round(median(results[name].map((result) => result.rate))), medianMs: round(median(latencies), 3), p95Ms: round(quantile(latencies, 0.95), 3),
      megabytesPerSecond: Math.round(median(results[name].map((result) => result.megabytesPerSecond))),
    };
  };
  const direct = summary('direct');
  const through = summary('gateway');
  await Promise.all([server.worker.terminate(), gateway.worker.terminate()]);
  await rm(home, { recursive: true, force: true });
  process.stdout.write(`${JSON.stringify({ name: 'gateway overhead', rounds: ROUNDS, connections: CONNECTIONS, direct, gateway: through, addedMedianMs: round(through.medianMs - direct.medianMs, 3) })}\n`);
}

if (parentPort === null) await main();
else {
  const { workerData } = await import('node:worker_threads');
  const role = workerData as Role;
  if (role.role === 'server') serve();
  else await serveGateway(role.upstream, role.home);
}
