import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Channel } from '#shared/wire.ts';
import { serveWire } from '#shared/wire-server.ts';
import { createStandInCore, type StandIn } from './stand-in-core.ts';

const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'";
const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.png': 'image/png' };
const IDE = '<!doctype html><title>IDE</title><textarea id="editor" aria-label="Editor"></textarea>';

export type StandInServer = { readonly url: string; readonly core: StandIn; readonly dropConnections: () => void; readonly close: () => Promise<void> };

/** Serves the built renderer from `folder` under the strict policy, and the stand-in core on its socket. */
export async function startStandInServer(folder: string): Promise<StandInServer> {
  const core = createStandInCore();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const name = pathname === '/' ? 'index.html' : pathname;
    const send = (type: string, body: string | Buffer): void => { response.writeHead(200, { 'content-type': type, 'content-security-policy': POLICY }).end(body); };
    if (pathname === '/ide-stand-in.html') send('text/html', IDE);
    else if (pathname === '/api/session') send('application/json', '{"ok":true}');
    else readFile(join(folder, name)).then((body) => send(TYPES[extname(name)] ?? 'application/octet-stream', body), () => response.writeHead(404).end());
  });
  const sockets = new WebSocketServer({ server, path: '/api/socket' });
  sockets.on('connection', (socket) => serveWire(core.handlers, channelOf(socket)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port');
  return {
    url: `http://127.0.0.1:${address.port}/`, core,
    dropConnections: () => { for (const socket of sockets.clients) socket.terminate(); },
    close: () => new Promise((resolve) => {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      server.close(() => resolve());
    }),
  };
}

function channelOf(socket: WebSocket): Channel {
  return {
    send: (text) => { if (socket.readyState === socket.OPEN) socket.send(text); },
    onMessage: (listener) => { socket.on('message', (data) => listener(String(data))); },
    onClose: (listener) => { socket.once('close', () => listener()); },
    drained: () => Promise.resolve(),
    close: () => socket.close(),
  };
}
