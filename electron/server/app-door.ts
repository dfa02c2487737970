import type { IncomingMessage, ServerResponse } from 'node:http';
import { WebSocketServer } from 'ws';
import { VesselError } from '#shared/errors.ts';
import { serveWire } from '#shared/wire-server.ts';
import type { Core } from '../core/create-core.ts';
import { answerFile, answerImport, answerRevision } from './api-archives.ts';
import { answerBoot } from './api-boot.ts';
import { answerApiCall } from './api-call.ts';
import { sendError, sendJson } from './respond.ts';
import { socketChannel } from './socket-channel.ts';
import { serveRenderer } from './static-files.ts';

/** What the gateway lets answer on `vessel.localhost`. */
type AppDoor = Parameters<Core['gateway']['mount']>[0];

export type AppDoorOptions = {
  readonly core: Core;
  /** The built renderer (`out/renderer`). */
  readonly rendererDirectory: string;
  readonly log: (line: string) => void;
};

const SOCKET_PATH = '/api/socket';
/** One frame of the wire; base64 of terminal input is the largest thing a client sends. */
const MAX_FRAME_BYTES = 8 * 1024 * 1024;
const FILE_PATTERN = /^\/api\/projects\/([^/]+)\/revisions\/([1-9]\d{0,8}|latest)\/files\/(.+)$/;
const REVISION_PATTERN = /^\/api\/projects\/([^/]+)\/revisions\/([1-9]\d{0,8}|latest)\.zip$/;

/** What answers on `vessel.localhost`: the renderer's files, the socket, and the same calls as JSON for scripts. */
export function createAppDoor({ core, rendererDirectory, log }: AppDoorOptions): AppDoor & { close(): void } {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES, perMessageDeflate: false });
  const route = (request: IncomingMessage, response: ServerResponse): Promise<void> => respond(request, response, core, rendererDirectory);
  return {
    request(request, response) {
      route(request, response).catch((error: unknown) => {
        const failure = VesselError.from(error);
        if (failure.code === 'INTERNAL' && !response.destroyed) log(`${request.method ?? ''} ${pathOf(request)}: ${failure.message}`);
        sendError(response, failure);
      });
    },
    upgrade(request, socket, head) {
      if (pathOf(request) !== SOCKET_PATH) {
        socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
        return;
      }
      // The gateway has checked the session and the Origin before it came here.
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on('error', (error) => log(`socket: ${error.message}`));
        serveWire(core.handlers, socketChannel(webSocket));
      });
    },
    close() {
      for (const client of sockets.clients) client.close(1001, 'Vessel ends');
      sockets.close();
    },
  };
}

async function respond(request: IncomingMessage, response: ServerResponse, core: Core, rendererDirectory: string): Promise<void> {
  const path = pathOf(request);
  const method = request.method ?? 'GET';
  const isRead = method === 'GET' || method === 'HEAD';
  if (!path.startsWith('/api/')) {
    if (!isRead) throw new VesselError('BAD_REQUEST', 'Only GET is possible here');
    if (!await serveRenderer(request, response, { directory: rendererDirectory, port: core.gateway.port })) throw new VesselError('NOT_FOUND', 'There is no such file');
    return;
  }
  if (path === '/api/health' && isRead) {
    sendJson(response, 200, { ok: true });
    return;
  }
  core.gateway.authenticate(request);
  const aborted = new AbortController();
  response.once('close', () => { if (!response.writableFinished) aborted.abort(); });
  const call = /^\/api\/call\/([A-Za-z.]{1,64})$/.exec(path);
  const revision = REVISION_PATTERN.exec(path);
  const file = FILE_PATTERN.exec(path);
  if (path === '/api/session' && isRead) sendJson(response, 200, { ok: true });
  else if (call?.[1] !== undefined && method === 'POST') sendJson(response, 200, await answerApiCall(request, call[1], core.handlers, aborted.signal));
  else if ((path === '/api/boot' || path === '/api/shutdown') && method === 'POST') sendJson(response, 200, await answerBoot(request, path === '/api/boot' ? 'boot' : 'shutdown', core.handlers, aborted.signal));
  else if (path === '/api/import' && method === 'POST') sendJson(response, 202, await answerImport(request, core, queryOf(request), aborted.signal));
  else if (revision?.[1] !== undefined && revision[2] !== undefined && isRead) await answerRevision(response, core, revision[1], revision[2]);
  else if (file?.[1] !== undefined && file[2] !== undefined && file[3] !== undefined && isRead) await answerFile(response, core, file[1], file[2], file[3]);
  else throw new VesselError('NOT_FOUND', `There is no ${method} ${path}`);
}

const pathOf = (request: IncomingMessage): string => (request.url ?? '/').split('?', 1)[0] ?? '/';
const queryOf = (request: IncomingMessage): URLSearchParams => new URLSearchParams((request.url ?? '').split('?')[1] ?? '');
