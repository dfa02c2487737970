import type { ServerResponse } from 'node:http';
import { httpStatus, VesselError } from '#shared/errors.ts';

/** JSON that no other site's page may embed and no cache may keep. */
export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy(); // half of a download is out: cutting it is the only way to say that it failed
    return;
  }
  const body = JSON.stringify(value);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store',
    'x-content-type-options': 'nosniff', 'cross-origin-resource-policy': 'same-origin',
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

/** `{error: ErrorShape}` with the status that belongs to its code. */
export function sendError(response: ServerResponse, thrown: unknown): void {
  const error = VesselError.from(thrown);
  sendJson(response, httpStatus(error.code), { error: error.toShape() });
}
