import { lookup } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { VesselError } from '#shared/errors.ts';
import type { SshHop } from './config.ts';
import { openProxyCommand } from './proxy-command.ts';

const CODES: Readonly<Record<string, 'SSH_NAME_NOT_RESOLVED' | 'SSH_REFUSED' | 'SSH_TIMEOUT'>> = {
  ENOTFOUND: 'SSH_NAME_NOT_RESOLVED', EAI_AGAIN: 'SSH_NAME_NOT_RESOLVED', EAI_NONAME: 'SSH_NAME_NOT_RESOLVED', EAI_NODATA: 'SSH_NAME_NOT_RESOLVED',
  ECONNREFUSED: 'SSH_REFUSED',
  ETIMEDOUT: 'SSH_TIMEOUT', EHOSTUNREACH: 'SSH_TIMEOUT', ENETUNREACH: 'SSH_TIMEOUT', EHOSTDOWN: 'SSH_TIMEOUT', ENETDOWN: 'SSH_TIMEOUT', EADDRNOTAVAIL: 'SSH_TIMEOUT',
};

/** How the system says that an address to call from is not there. */
const NOT_OURS: ReadonlySet<string | undefined> = new Set(['EADDRNOTAVAIL', 'EINVAL']);

/**
 * The way to the first machine of a route: TCP, or what its ProxyCommand carries. Throws SSH_NAME_NOT_RESOLVED,
 * SSH_REFUSED, SSH_TIMEOUT, SSH_CONFIG_INVALID.
 */
export async function dial(hop: SshHop, signal: AbortSignal): Promise<Duplex> {
  if (signal.aborted) throw new VesselError('CANCELLED');
  if (hop.proxyCommand !== null) return openProxyCommand({ alias: hop.alias, proxyCommand: hop.proxyCommand });
  return dialTcp(hop, hop.bindAddress === null ? undefined : await ownAddress(hop.bindAddress), signal);
}

/** BindAddress may be a name. */
async function ownAddress(name: string): Promise<string> {
  if (isIP(name) !== 0) return name;
  const { address } = await lookup(name).catch((error: unknown) => { throw notOurs(name, error); });
  return address;
}

const notOurs = (name: string, cause: unknown): VesselError => new VesselError('SSH_CONFIG_INVALID', `BindAddress "${name}" is no address of this computer`, { cause });

function dialTcp({ host, port, connectTimeoutMs, addressFamily, bindAddress }: SshHop, localAddress: string | undefined, signal: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    // Nagle's algorithm makes interactive channels crawl: see TOOLCHAIN, SSH.
    const socket = connect({ host, port, noDelay: true, family: addressFamily, ...(localAddress === undefined ? {} : { localAddress }) });
    const where = `${host}:${port}`;
    const end = (error: VesselError): void => { settle(); socket.destroy(); reject(error); };
    const timer = setTimeout(() => end(new VesselError('SSH_TIMEOUT', `${where} did not answer within ${connectTimeoutMs / 1000} s`, { details: { host, port } })), connectTimeoutMs);
    const onAbort = (): void => end(new VesselError('CANCELLED'));
    const onError = (error: NodeJS.ErrnoException): void => end(bindAddress !== null && NOT_OURS.has(error.code) ? notOurs(bindAddress, error) : dialError(error, where, { host, port }));
    const settle = (): void => { clearTimeout(timer); signal.removeEventListener('abort', onAbort); socket.off('error', onError); socket.on('error', () => undefined /* the SSH client has its own listener */); };
    if (signal.aborted) { onAbort(); return; }
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('error', onError);
    socket.once('connect', () => { settle(); resolve(socket); });
  });
}

/** Several addresses of one name fail together as an AggregateError; the first is as good as any. */
export function dialError(error: NodeJS.ErrnoException, where: string, details: Readonly<Record<string, unknown>>): VesselError {
  const code = error.code ?? (error instanceof AggregateError ? (error.errors[0] as NodeJS.ErrnoException | undefined)?.code : undefined) ?? '';
  return new VesselError(CODES[code] ?? 'SSH_REFUSED', `No connection to ${where}: ${error.message === '' ? code : error.message}`, { cause: error, details: { ...details, cause: code } });
}
