import type { Duplex } from 'node:stream';
import ssh2, { type Algorithms, type Client } from 'ssh2';
import { VesselError } from '#shared/errors.ts';
import { CIPHERS, HOST_KEYS } from './algorithms.ts';
import type { SshHop } from './config.ts';
import { describeNoMore, gatherWrites, useKeyObjects } from './fast-packets.ts';
import { revokedKeys, type HostKeyFiles } from './host-key-files.ts';
import { hostKeyAlgorithms, judgeHostKey } from './host-key-verdict.ts';
import { hostKeyOf } from './host-key.ts';
import { knownName, type KnownKey } from './known-hosts.ts';
import { Login } from './login.ts';
import type { Questions } from './questions.ts';

export type OpenClientOptions = {
  readonly hop: SshHop;
  readonly stream: Duplex;
  readonly questions: Questions;
  readonly hostKeys: HostKeyFiles;
  readonly acceptHostKeys: readonly string[];
  readonly signal: AbortSignal;
};

/** How ssh2's debug line tells a refusal: the only place where it says which methods are left (see {@link Login}). */
const REFUSAL = /Received USERAUTH_FAILURE \(([^)]*)\)/;
/** The login itself, without the time in which a person is asked. */
const LOGIN_DEADLINE_MS = 30_000;

/**
 * Speaks SSH over an open byte stream until the host has let us in. The host key is judged before anything secret is sent.
 * Throws HOST_KEY_…, SSH_AUTH_FAILED and its kin, SSH_HANDSHAKE_FAILED, SSH_TIMEOUT, CANCELLED.
 */
export async function openClient(options: OpenClientOptions): Promise<Client> {
  const { hop, stream, questions, hostKeys, acceptHostKeys, signal } = options;
  const name = knownName(hop.hostKeyAlias ?? hop.host, hop.hostKeyAlias === null ? hop.port : 22);
  const files = [hostKeys.ownFile, ...hop.knownHostsFiles];
  const known = [...await hostKeys.lookup(name, hop.knownHostsFiles), ...await revokedKeys(hop.revokedKeysFile)];
  const client = new ssh2.Client();
  useKeyObjects(client);
  describeNoMore(client);
  gatherWrites(stream);
  const where = `${hop.host}:${hop.port}`;

  return new Promise<Client>((resolve, reject) => {
    let settled = false;
    /** The first is the answer to the question which ways there are. */
    let refusals = 0;
    let phase: 'handshake' | 'login' = 'handshake';
    const settle = (): boolean => {
      if (settled) return false;
      settled = true;
      clearTimeout(timer);
      questions.onOpen(() => undefined);
      signal.removeEventListener('abort', onAbort);
      return true;
    };
    const fail = (error: VesselError): void => {
      if (!settle()) return;
      client.destroy();
      stream.destroy();
      reject(error);
    };
    const expire = (): void => fail(new VesselError('SSH_TIMEOUT', phase === 'handshake' ? `${where} accepted the connection but does not speak SSH in time` : `${where} did not finish the login in time`, { details: { host: hop.host, port: hop.port, phase } }));
    let timer = setTimeout(expire, hop.connectTimeoutMs);
    const restart = (ms: number): void => { clearTimeout(timer); if (!settled) timer = setTimeout(expire, ms); };
    const onAbort = (): void => fail(new VesselError('CANCELLED'));
    if (signal.aborted) { onAbort(); return; }
    signal.addEventListener('abort', onAbort, { once: true });

    const login = new Login(hop, questions, fail);
    questions.onOpen((open) => { if (open) clearTimeout(timer); else restart(LOGIN_DEADLINE_MS); });

    client.on('handshake', () => { phase = 'login'; restart(LOGIN_DEADLINE_MS); });
    // Before it refused any key: a server or a line that went away, not one that does not want us.
    const closed = (): void => fail(stream.errored instanceof VesselError ? stream.errored : new VesselError(phase === 'handshake' ? 'SSH_HANDSHAKE_FAILED' : refusals > 1 ? 'SSH_AUTH_FAILED' : 'SSH_CONNECTION_LOST', `${where} closed the connection during the ${phase}`, { retryable: phase === 'handshake' || refusals <= 1, details: { host: hop.host, port: hop.port, phase } }));
    client.on('error', (error: Error & { readonly level?: string }) => {
      // A key that cannot sign is passed over by the login itself, which then tries the next.
      if (error.level === 'agent') return;
      if (error instanceof VesselError) fail(error); // of the stream below, which knows better
      else if (error.message === LOST_BEFORE_HANDSHAKE) closed();
      else fail(handshakeError(error, where, phase));
    });
    client.on('close', closed);
    // While the files were read the other side may have gone already: nobody would tell again.
    if (stream.destroyed || stream.readableEnded) { closed(); return; }
    client.on('ready', () => { login.succeeded().then(() => { if (settle()) resolve(client); }, (error: unknown) => fail(VesselError.from(error))); });
    try {
      client.connect({
        sock: stream as never, // the types want a net.Socket or Readable; a channel of another client is a Duplex, and works
        host: hop.host, port: hop.port, username: hop.user,
        readyTimeout: 0, // our own deadlines stop while a person is asked
        keepaliveInterval: hop.keepaliveMs, keepaliveCountMax: hop.keepaliveCount,
        algorithms: algorithmsOf(hop, known),
        authHandler: login.handler,
        debug: (line) => { const found = REFUSAL.exec(line); if (found === null) return; refusals += 1; login.noteFailure((found[1] ?? '').split(',').filter((method) => method !== '')); },
        hostVerifier: (blob: Buffer, verdict: (trusted: boolean) => void): void => {
          const key = hostKeyOf(blob);
          const refuse = (error: unknown): void => { fail(VesselError.from(error)); verdict(false); };
          try {
            // A change of keys in the middle of a connection comes by here again and is judged again.
            const answer = judgeHostKey({ name, host: hop.host, port: hop.port, key, known, accepted: acceptHostKeys, files });
            if (answer === 'known') verdict(true);
            else hostKeys.accept(name, key).then(() => { known.push({ file: hostKeys.ownFile, line: 0, marker: 'none', type: key.type, blob: key.blob }); verdict(true); }, refuse);
          } catch (error) {
            refuse(error);
          }
        },
      });
    } catch (error) {
      fail(handshakeError(error instanceof Error ? error : new Error(String(error)), where, phase));
    }
  });
}

function algorithmsOf({ algorithms: { ciphers, macs, kex, hostKeys } }: SshHop, known: readonly KnownKey[]): Algorithms {
  return {
    serverHostKey: [...hostKeyAlgorithms(known, hostKeys ?? HOST_KEYS.usual)], cipher: [...ciphers ?? CIPHERS.usual],
    ...(macs === null ? {} : { hmac: [...macs] }), ...(kex === null ? {} : { kex: [...kex] }),
  } as Algorithms;
}

/** How ssh2 1.17 tells that the socket closed before any version was exchanged. */
const LOST_BEFORE_HANDSHAKE = 'Connection lost before handshake';
/** Of the line, not of the server's mind. */
const LINE_ERRORS: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN']);

function handshakeError(error: Error & { readonly level?: string; readonly code?: unknown }, where: string, phase: 'handshake' | 'login'): VesselError {
  if (LINE_ERRORS.has(error.code)) return new VesselError('SSH_CONNECTION_LOST', `The connection to ${where} broke during the ${phase}: ${error.message}`, { cause: error, details: { cause: error.message, phase } });
  if (phase === 'login') return new VesselError('SSH_AUTH_FAILED', `${where} ended the login: ${error.message}`, { cause: error });
  return new VesselError('SSH_HANDSHAKE_FAILED', `${where} does not complete the SSH handshake: ${error.message}`, { cause: error, details: { cause: error.message } });
}
