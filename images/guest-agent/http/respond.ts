import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ErrorCode } from '#shared/error-codes.ts';
import { VesselError } from '#shared/vessel-error.ts';

const STATUS: Partial<Readonly<Record<ErrorCode, number>>> = {
  BAD_REQUEST: 400, GUEST_UNAUTHORIZED: 401, NOT_FOUND: 404, CONFLICT: 409, BUSY: 409, ARCHIVE_TOO_LARGE: 413,
  ARCHIVE_CORRUPT: 422, ARCHIVE_UNSAFE: 422, EXEC_FAILED: 422, GUEST_PORT_CLOSED: 502, GUEST_PORT_FAILED: 502, IDE_NOT_READY: 503, DISK_FULL: 507,
};

/** The HTTP status that goes with an error code. */
export const statusOf = (code: ErrorCode): number => STATUS[code] ?? 500;

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length, 'cache-control': 'no-store' });
  response.end(body);
}

/** Answers with `{error: ErrorShape}`; when the head is out already the connection is cut, so that the client sees an incomplete answer. */
export function sendError(response: ServerResponse, error: unknown): void {
  const failure = VesselError.from(error);
  if (response.headersSent) response.destroy();
  else sendJson(response, statusOf(failure.code), { error: failure.toShape() });
}

/** The same for an upgrade that is refused: a raw answer on the socket. */
export function refuseUpgrade(socket: Duplex, error: unknown): void {
  const failure = VesselError.from(error);
  const body = Buffer.from(JSON.stringify({ error: failure.toShape() }));
  socket.end(Buffer.concat([
    Buffer.from(`HTTP/1.1 ${statusOf(failure.code)} Refused\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`), body,
  ]));
}
