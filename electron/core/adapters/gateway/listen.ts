import { readFile, writeFile, mkdir, rename } from 'node:fs/promises';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { VesselError } from '#shared/errors.ts';

const HTTP_PORT = 80;
/** How often a free port is looked for whose IPv6 twin is free too. */
const FREE_PORT_TRIES = 5;

/**
 * Binds 127.0.0.1, and ::1 where the machine has it, to one port and returns it.
 *
 * `wanted`: a number is taken or refused with PORT_IN_USE (0 = any free one). Null tries 80, then the port remembered in
 * `$VESSEL_HOME/gateway.json`, then a free one, which is remembered: addresses in bookmarks stay true.
 */
export async function listenOnLoopback(servers: { readonly v4: Server; readonly v6: Server }, wanted: number | null, home: string): Promise<number> {
  if (wanted !== null && wanted !== 0) {
    const outcome = await bindBoth(servers, wanted);
    if (outcome === null) throw new VesselError('PORT_IN_USE', `Port ${wanted} is taken or may not be bound`, { details: { port: wanted } });
    return outcome;
  }
  if (wanted === null) {
    for (const candidate of [HTTP_PORT, await rememberedPort(home)]) {
      const outcome = candidate === null ? null : await bindBoth(servers, candidate);
      if (outcome !== null) return outcome;
    }
  }
  for (let attempt = 0; attempt < FREE_PORT_TRIES; attempt += 1) {
    const port = await bindBoth(servers, 0);
    if (port === null) continue;
    if (wanted === null) await rememberPort(home, port);
    return port;
  }
  throw new VesselError('PORT_IN_USE', 'No free loopback port was found');
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
