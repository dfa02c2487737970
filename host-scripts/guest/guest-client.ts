import { request } from 'node:http';
import { VesselError } from '#shared/errors.ts';
import { GUEST_API_PREFIX, GuestActivitySchema, GuestHealthSchema } from '#shared/guest-protocol.ts';
import type { GuestActivity, GuestHealth, GuestIdentity, GuestWake } from '#shared/guest-protocol.ts';
import { guestFailure, GUEST_LIMITS, parseGuestJson } from '#shared/guest-text.ts';

export type GuestAddress = { readonly host: string; readonly port: number };
type Call = {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly token: string;
  readonly body?: unknown;
  readonly signal: AbortSignal;
  /** Milliseconds for this one attempt. */
  readonly attemptMs: number;
};

function errorFrom(status: number, body: Buffer): VesselError {
  const value = parseGuestJson(body) as { readonly error?: unknown } | null | undefined;
  return (status === 401 ? null : guestFailure(value?.error)) ?? new VesselError(status === 401 ? 'GUEST_UNAUTHORIZED' : 'GUEST_UNREACHABLE', `the guest agent answered ${status}`);
}

/** One call to a guest agent. Throws GUEST_UNREACHABLE, GUEST_UNAUTHORIZED or the error the guest names. */
function callGuest(address: GuestAddress, call: Call): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const payload = call.body === undefined ? null : Buffer.from(JSON.stringify(call.body));
    const outgoing = request({
      host: address.host, port: address.port, method: call.method, path: `${GUEST_API_PREFIX}/${call.path}`, agent: false, maxHeaderSize: GUEST_LIMITS.headerBytes,
      signal: AbortSignal.any([call.signal, AbortSignal.timeout(Math.ceil(call.attemptMs))]),
      headers: {
        authorization: `Bearer ${call.token}`,
        ...(payload === null ? {} : { 'content-type': 'application/json', 'content-length': payload.byteLength }),
      },
    }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.byteLength;
        if (size > GUEST_LIMITS.answerBytes) response.destroy(new Error('the answer is too long'));
        else chunks.push(chunk);
      });
      response.on('error', fail);
      response.on('end', () => {
        const body = Buffer.concat(chunks);
        const status = response.statusCode ?? 0;
        if (status < 200 || status > 299) return reject(errorFrom(status, body));
        // What is no JSON fits no schema.
        resolve(parseGuestJson(body));
      });
    });
    function fail(error: unknown): void {
      if (call.signal.aborted) reject(VesselError.from(call.signal.reason));
      else reject(new VesselError('GUEST_UNREACHABLE', error instanceof Error ? error.message : String(error), { cause: error }));
    }
    outgoing.on('upgrade', (_response, socket) => { socket.destroy(); fail(new Error('it changed the protocol without being asked')); });
    outgoing.on('error', fail);
    outgoing.end(payload ?? undefined);
  });
}

export async function guestHealth(address: GuestAddress, token: string, options: { readonly signal: AbortSignal; readonly attemptMs: number }): Promise<GuestHealth> {
  return GuestHealthSchema.parse(await callGuest(address, { method: 'GET', path: 'health', token, ...options }));
}

/** Gives the guest what must be unique or fresh. `token` is the current one; afterwards only `identity.token` works. */
export async function sendIdentity(address: GuestAddress, token: string, identity: GuestIdentity, options: { readonly signal: AbortSignal; readonly attemptMs: number }): Promise<void> {
  await callGuest(address, { method: 'POST', path: 'identity', token, body: identity, ...options });
}

export async function guestActivity(address: GuestAddress, token: string, options: { readonly signal: AbortSignal; readonly attemptMs: number }): Promise<GuestActivity> {
  return GuestActivitySchema.parse(await callGuest(address, { method: 'GET', path: 'activity', token, ...options }));
}

/** Tells a guest that slept the time; nothing else of it changes. */
export async function sendWake(address: GuestAddress, token: string, wake: GuestWake, options: { readonly signal: AbortSignal; readonly attemptMs: number }): Promise<void> {
  await callGuest(address, { method: 'POST', path: 'wake', token, body: wake, ...options });
}
