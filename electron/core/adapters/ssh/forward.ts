import type { Duplex } from 'node:stream';
import type { Client } from 'ssh2';
import { VesselError } from '#shared/errors.ts';
import { ChannelSocket } from './channel-socket.ts';

/** RFC 4254, 5.1: reasons of a refused channel. */
const ADMINISTRATIVELY_PROHIBITED = 1;
const CONNECT_FAILED = 2;

/** The reason code of a channel that was refused, null when it failed for another reason. */
export function refusalOf(error: Error): number | null {
  const { reason } = error as { readonly reason?: unknown };
  return typeof reason === 'number' ? reason : null;
}

/** A channel to an address as the server sees it. Throws GUEST_UNREACHABLE, FORWARDING_FORBIDDEN, SSH_CONNECTION_LOST. */
export function openForward(client: Client, host: string, port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(forwardError(error, host, port));
    try {
      // The source address is only for the server's log.
      client.forwardOut('127.0.0.1', 0, host, port, (error, channel) => {
        if (error != null) return fail(error);
        resolve(new ChannelSocket(client, channel));
      });
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)));
    }
  });
}

function forwardError(error: Error, host: string, port: number): VesselError {
  const details = { host, port };
  switch (refusalOf(error)) {
    case ADMINISTRATIVELY_PROHIBITED: return new VesselError('FORWARDING_FORBIDDEN', `The SSH server forbids forwarding to ${host}:${port}`, { cause: error, details });
    case CONNECT_FAILED: return new VesselError('GUEST_UNREACHABLE', `The host does not reach ${host}:${port}: ${error.message}`, { cause: error, details });
    default: return new VesselError('SSH_CONNECTION_LOST', `No channel to ${host}:${port}: ${error.message}`, { cause: error, details });
  }
}
