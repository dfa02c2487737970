import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Handlers } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import { runDirectory, serverFilePath } from '#shared/paths.ts';
import type { Channel } from '#shared/wire.ts';
import { serveWire } from '#shared/wire-server.ts';

export type SomeHandlers = { readonly calls?: Partial<Handlers['calls']>; readonly streams?: Partial<Handlers['streams']> };
export type FakeVessel = {
  readonly port: number;
  /** Ends every connection as a crash of the server would. */
  dropConnections(): void;
  close(): Promise<void>;
};

const SECRET = 'a-secret-for-tests-only';

/** A Vessel of the given handlers behind a real WebSocket, with its run file in `home`. A call without a handler is NOT_FOUND. */
export async function startFakeVessel(home: string, some: SomeHandlers): Promise<FakeVessel> {
  const absent = (target: object): object => new Proxy(target, {
    get: (all, name): unknown => (Reflect.get(all, name) as unknown) ?? (() => { throw new VesselError('NOT_FOUND', `the fake has no ${String(name)}`); }),
  });
  const handlers = { calls: absent(some.calls ?? {}), streams: absent(some.streams ?? {}) } as Handlers;
  const http = createServer((_request, response) => response.writeHead(404).end());
  const sockets = new WebSocketServer({ server: http, path: '/api/socket', verifyClient: ({ req }: { req: { headers: { authorization?: string } } }) => req.headers.authorization === `Bearer ${SECRET}` });
  sockets.on('connection', (socket) => serveWire(handlers, channelOf(socket)));
  await new Promise<void>((resolve) => { http.listen(0, '127.0.0.1', resolve); });
  const { port } = http.address() as AddressInfo;
  mkdirSync(runDirectory(home), { recursive: true, mode: 0o700 });
  writeFileSync(serverFilePath(home), JSON.stringify({ pid: process.pid, port, secret: SECRET, baseUrl: `http://vessel.localhost:${port}`, version: '0.0.0', startedAt: Date.now() }), { mode: 0o600 });
  return {
    port,
    dropConnections: () => { for (const socket of sockets.clients) socket.terminate(); },
    close: async () => {
      rmSync(serverFilePath(home), { force: true });
      for (const socket of sockets.clients) socket.terminate();
      await new Promise<void>((resolve) => { http.close(() => resolve()); });
    },
  };
}

function channelOf(socket: WebSocket): Channel {
  return {
    send: (text) => { if (socket.readyState === socket.OPEN) socket.send(text); },
    onMessage: (listener) => { socket.on('message', (data) => listener(String(data))); },
    onClose: (listener) => { socket.on('close', listener); },
    drained: () => Promise.resolve(),
    close: () => socket.close(),
  };
}
