import { STATUS_CODES, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { httpStatus, type VesselError } from '#shared/errors.ts';

/** A page a person is waiting for, rather than a script's request. */
export function wantsPage(request: IncomingMessage): boolean {
  const { accept } = request.headers;
  return (request.method === 'GET' || request.method === 'HEAD') && accept !== undefined && accept.includes('text/html');
}

const JSON_HEADERS: OutgoingHttpHeaders = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'cross-origin-resource-policy': 'same-origin' };

/** `{error: ErrorShape}` with the status that belongs to the code. */
export function sendError(response: ServerResponse, error: VesselError, status = httpStatus(error.code)): void {
  sendBody(response, status, JSON_HEADERS, JSON.stringify({ error: error.toShape() }));
}

export function sendBody(response: ServerResponse, status: number, headers: OutgoingHttpHeaders, body: string | Buffer): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

/** Refuses a WebSocket: browsers show no body, scripts get the ErrorShape. */
export function refuseUpgrade(socket: Duplex, error: VesselError, status = httpStatus(error.code)): void {
  const body = JSON.stringify({ error: error.toShape() });
  socket.on('error', () => socket.destroy()); // the other side may be gone already; there is nobody left to tell
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`);
}
