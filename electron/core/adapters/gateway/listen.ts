import { randomInt } from 'node:crypto';
import { readFile, writeFile, mkdir, rename } from 'node:fs/promises';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { VesselError } from '#shared/errors.ts';

const HTTP_PORT = 80;
/** How often a free port is looked for whose IPv6 twin is free too. */
const FREE_PORT_TRIES = 5;
/** Below the ports that Linux (32768–60999), macOS and Windows (49152–65535) give to outgoing connections: those could hold ours while Vessel is down. */
const OWN_PORTS = { first: 10_240, last: 32_767 };

export type Listening = {
  readonly port: number;
  /** The port that the last Vessel of this home had, when it was not to be had: what is open at the old address does not find this one. */
  readonly movedFrom: number | null;
};

/**
 * Binds 127.0.0.1, and ::1 where the machine has it, to one port.
 *
 * `wanted`: a number is taken or refused with PORT_IN_USE (0 = any free one). Null tries the port used last, then 80, then a free one. What is bound is
 * remembered in `$VESSEL_HOME/gateway.json`, however it was chosen: tabs and bookmarks stay true, also after a crash.
 */
export async function listenOnLoopback(servers: { readonly v4: Server; readonly v6: Server }, wanted: number | null, home: string): Promise<Listening> {
  const last = await rememberedPort(home);
  const port = wanted === null || wanted === 0 ? await firstFree(servers, wanted === 0 ? [] : [last, HTTP_PORT]) : await bindBoth(servers, wanted);
  if (port === null) {
    throw wanted === null || wanted === 0
      ? new VesselError('PORT_IN_USE', 'No free loopback port was found')
      : new VesselError('PORT_IN_USE', `Port ${wanted} is taken or may not be bound`, { details: { port: wanted } });
  }
  if (port !== last) await rememberPort(home, port);
  return { port, movedFrom: wanted === null && last !== null && last !== port ? last : null };
}

async function firstFree(servers: { readonly v4: Server; readonly v6: Server }, preferred: readonly (number | null)[]): Promise<number | null> {
  const own = Array.from({ length: FREE_PORT_TRIES }, () => randomInt(OWN_PORTS.first, OWN_PORTS.last + 1));
  // 0: the system's choice, where a firewall or a sandbox leaves only that.
  for (const candidate of [...preferred, ...own, 0, 0]) {
    const port = candidate === null ? null : await bindBoth(servers, candidate);
    if (port !== null) return port;
  }
  return null;
}

/** Null when the port is not to be had. Without IPv6 on this machine the IPv4 address alone is enough. */
async function bindBoth({ v4, v6 }: { readonly v4: Server; readonly v6: Server }, wanted: number): Promise<number | null> {
  const first = await bind(v4, '127.0.0.1', wanted);
  if (typeof first === 'string') return null;
  const second = await bind(v6, '::1', first);
  if (typeof second === 'number' || second === 'EADDRNOTAVAIL' || second === 'EAFNOSUPPORT' || second === 'EINVAL') return first;
  await new Promise((resolve) => { v4.close(resolve); });
  return null;
}

/** The bound port, or the code of the refusal. */
function bind(server: Server, host: string, port: number): Promise<number | string> {
  return new Promise((resolve) => {
    const onError = (error: NodeJS.ErrnoException): void => resolve(error.code ?? 'UNKNOWN');
    server.once('error', onError);
    server.listen({ host, port, exclusive: true }, () => {
      server.off('error', onError);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 'UNKNOWN');
    });
  });
}

const memoryFile = (home: string): string => join(home, 'gateway.json');

async function rememberedPort(home: string): Promise<number | null> {
  try {
    const value: unknown = JSON.parse(await readFile(memoryFile(home), 'utf8'));
    const port = typeof value === 'object' && value !== null && 'port' in value ? value.port : null;
    return typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536 ? port : null;
  } catch {
    return null; // missing or damaged: it is only a preference, and a new one is written
  }
}

async function rememberPort(home: string, port: number): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  const temporary = `${memoryFile(home)}.${process.pid}`;
  await writeFile(temporary, `${JSON.stringify({ port })}\n`);
  await rename(temporary, memoryFile(home));
}
