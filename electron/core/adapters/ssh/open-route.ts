import type { Duplex } from 'node:stream';
import type { Client } from 'ssh2';
import { VesselError } from '#shared/errors.ts';
import type { SshHop } from './config.ts';
import { dial } from './dial.ts';
import { openForward } from './forward.ts';
import { openClient, type OpenClientOptions } from './open-client.ts';

/** The logged-in clients of a route, the target last. */
export type OpenRoute = { readonly clients: readonly Client[]; readonly target: Client };

export type OpenRouteOptions = Omit<OpenClientOptions, 'hop' | 'stream'> & { readonly hops: readonly SshHop[] };

/** Goes from machine to machine; each is checked and logged in to by itself. Closes what it opened when it fails. */
export async function openRoute({ hops, ...options }: OpenRouteOptions): Promise<OpenRoute> {
  const clients: Client[] = [];
  try {
    for (const hop of hops) {
      const before = clients.at(-1);
      const stream = before === undefined ? await dial(hop, options.signal) : await through(before, hop);
      clients.push(await openClient({ ...options, hop, stream }));
    }
    const target = clients.at(-1);
    if (target === undefined) throw new VesselError('INTERNAL', 'A route without machines');
    return { clients, target };
  } catch (error) {
    closeRoute(clients);
    const known = VesselError.from(error);
    const notices = hops.flatMap((hop) => hop.notices);
    const about = { ...(hops.length === 1 ? {} : { hop: hops[clients.length]?.alias ?? null, hops: hops.map(({ alias }) => alias) }), ...(notices.length === 0 ? {} : { notices }) };
    throw Object.keys(about).length === 0 ? known : new VesselError(known.code, known.message, { cause: known, hint: known.hint, retryable: known.retryable, logTail: known.logTail, details: { ...known.details, ...about } });
  }
}

/** The last first: the machines before it carry its goodbye. */
export function closeRoute(clients: readonly Client[]): void {
  for (const client of clients.toReversed()) {
    client.on('error', () => undefined); // it is being closed; nobody waits for it any more
    client.end();
  }
}

async function through(before: Client, hop: SshHop): Promise<Duplex> {
  try {
    return await openForward(before, hop.host, hop.port);
  } catch (error) {
    const known = VesselError.from(error);
    if (known.code !== 'GUEST_UNREACHABLE') throw known;
    throw new VesselError('SSH_REFUSED', `The machine before it does not reach ${hop.host}:${hop.port}: ${known.message}`, { cause: known, details: { host: hop.host, port: hop.port } });
  }
}
