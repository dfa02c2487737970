import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { EXEC_FRAME, GUEST_API_PREFIX } from '#shared/guest-protocol.ts';
import { storedZip } from '../../electron/core/adapters/archive/stored-zip.fixture.ts';
import { HONEST_FILE, honestSummary, sendJson, sendSave } from './hostile-answers.ts';
import { MISBEHAVIORS, type Misbehavior } from './misbehaviors.ts';

/**
 * A guest agent that speaks the protocol on a real socket and does one thing of the table wrong. Runs as a process of its own (`fork`), so that what is
 * measured in the test is the host's side alone. Messages in: the name of a misbehavior, or null for an honest agent. Messages out: the port, then what was armed or met.
 */
export type HostileMessage = { readonly kind: 'port'; readonly port: number } | { readonly kind: 'armed' } | { readonly kind: 'met' };

let armed: Misbehavior | null = null;
let counter = 1;
const tell = (message: HostileMessage): void => { process.send?.(message); };
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });

/** The call of the protocol; everything else is VS Code or a port. */
function callOf({ method, url }: IncomingMessage): string {
  const path = (url ?? '/').split('?')[0] ?? '/';
  return path.startsWith(`${GUEST_API_PREFIX}/`) ? `${method ?? 'GET'} ${path.slice(GUEST_API_PREFIX.length + 1)}` : 'page';
}

const now = (): number => Date.now();
const HONEST: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>> = {
  'GET health': (_request, response) => sendJson(response, { v: 1, agent: 'honest', ideReady: true, ide: { name: 'code-server', version: '1', commit: null }, hostname: 'h', now: now(), bootedAt: 1 }),
  'GET activity': (_request, response) => sendJson(response, { now: now(), ide: null, terminal: null, http: null, file: null, exec: null, open: { ide: 0, exec: 0, terminal: 0 }, changeCounter: counter }),
  'GET metrics': (_request, response) => sendJson(response, { cpuPercent: 1, memoryUsedBytes: 1, memoryTotalBytes: 2, diskUsedBytes: 1, diskTotalBytes: 2, load1: 0, processes: 3 }),
  'GET ports': (_request, response) => sendJson(response, { ports: [] }),
  'GET programs': (_request, response) => sendJson(response, { programs: [], changing: [] }),
  'POST programs/end': (_request, response) => sendJson(response, { programs: [], changing: [] }),
  'PUT still': (_request, response) => sendJson(response, { hold: 1 }),
  'DELETE still': (_request, response) => sendJson(response, {}),
  'PUT workspace': (request, response) => { request.on('end', () => sendJson(response, { entries: 1, files: 1, contentBytes: 1 })); },
  'POST workspace/save': (_request, response) => sendSave(response, storedZip([HONEST_FILE, { name: 'count.txt', data: String(counter) }]), { ...honestSummary(counter), entries: 2, files: 2 }),
  page: (_request, response) => response.end('page'),
};

function honestExec(socket: WebSocket): void {
  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary || (JSON.parse(data.toString()) as { readonly type: string }).type !== 'start') return;
    socket.send(JSON.stringify({ type: 'started', pid: 1 }));
    socket.send(Buffer.concat([Buffer.of(EXEC_FRAME.stdout), Buffer.from('hello')]));
    socket.send(JSON.stringify({ type: 'exit', code: 0, signal: null }));
  });
}

/** Runs the agent until its parent goes. */
export function runHostileAgent(canary: string): void {
  const server = createServer({ maxHeaderSize: 64 * 1024 }, (request, response) => {
    response.on('error', () => response.destroy());
    const call = callOf(request);
    if (armed !== null && armed.call === call && armed.act !== undefined) {
      tell({ kind: 'met' });
      armed.act({ request, response, socket: request.socket, canary });
      return;
    }
    request.resume();
    (HONEST[call] ?? ((_request, answer) => sendJson(answer, { error: { code: 'NOT_FOUND', message: call } }, 404)))(request, response);
  });
  server.on('connection', (socket) => {
    socket.on('error', () => socket.destroy());
    if (armed?.call === 'connection') { tell({ kind: 'met' }); armed.connected?.(socket); }
  });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    const wrong = armed?.call === 'POST exec' ? armed : null;
    if (wrong !== null) tell({ kind: 'met' });
    if (wrong?.connected !== undefined) { wrong.connected(socket); return; }
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => client.terminate());
      if (wrong?.exec === undefined) honestExec(client);
      else client.once('message', () => wrong.exec?.(client, socket));
    });
  });
  server.listen(0, '127.0.0.1', () => tell({ kind: 'port', port: (server.address() as AddressInfo).port }));
  process.on('message', (name: string | null) => {
    for (const client of sockets.clients) client.terminate();
    armed = name === null ? null : MISBEHAVIORS.find((one) => one.name === name) ?? null;
    counter += 1;
    tell({ kind: 'armed' });
  });
  process.on('disconnect', () => process.exit(0));
  // A peer that left in the middle of an attack is expected.
  process.on('uncaughtException', (error) => process.stderr.write(`hostile agent: ${error.message}\n`));
}
