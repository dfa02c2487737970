import type { Duplex } from 'node:stream';
import type { HostConnection, HostProbe } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { ConnectOptions, RemoteHost, RemoteProcess, RemoteRunOptions, RemoteRunResult, UploadOptions, UploadResult } from '../../ports/remote-host.ts';
import { SshConnection, type SshConnectionOptions } from './connection.ts';
import { openExec } from './exec.ts';
import { openForward } from './forward.ts';
import { closeRoute } from './open-route.ts';
import { probeHost } from './probe.ts';
import { runToEnd } from './run.ts';
import { upload } from './upload.ts';

export type SshHostOptions = SshConnectionOptions & { readonly hostId: string; readonly now: () => number };

/** The host's kernel may wait minutes for an address that swallows packets; a guest is there at once or not at all. */
const FORWARD_DEADLINE_MS = 10_000;

/** A machine over SSH: see {@link RemoteHost}. */
export class SshHost implements RemoteHost {
  readonly hostId: string;
  readonly #connection: SshConnection;
  readonly #now: () => number;

  constructor(options: SshHostOptions) {
    this.hostId = options.hostId;
    this.#now = options.now;
    this.#connection = new SshConnection(options);
  }

  get connection(): HostConnection { return this.#connection.state; }
  onConnection(listener: (connection: HostConnection) => void): () => void { return this.#connection.onState(listener); }
  async connect(options: ConnectOptions): Promise<void> { await this.#connection.client(options); }

  async exec(argv: readonly string[], { signal }: { readonly signal?: AbortSignal } = {}): Promise<RemoteProcess> {
    if (signal?.aborted === true) throw new VesselError('CANCELLED');
    const process = await this.#openExec(argv);
    if (signal !== undefined) {
      const end = (): void => { process.signal('TERM'); process.close(); };
      if (signal.aborted) end();
      signal.addEventListener('abort', end, { once: true });
      process.exit.catch(() => undefined).finally(() => signal.removeEventListener('abort', end)).catch(() => undefined);
    }
    return process;
  }

  async run(argv: readonly string[], options: RemoteRunOptions = {}): Promise<RemoteRunResult> {
    if (options.signal?.aborted === true) throw new VesselError('CANCELLED');
    return runToEnd(await this.#openExec(argv), options);
  }

  async forward(host: string, port: number): Promise<Duplex> {
    const opening = openForward(await this.#connection.client(), host, port);
    return new Promise((resolve, reject) => {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        reject(new VesselError('GUEST_UNREACHABLE', `The host did not reach ${host}:${port} in time`, { details: { host, port } }));
        // Either the address swallows packets or the line is dead; the second must not wait for the next probe.
        this.#connection.prove('a channel did not open').catch(reject);
      }, FORWARD_DEADLINE_MS);
      opening.then((stream) => { if (late) stream.destroy(); else resolve(stream); }, reject).finally(() => clearTimeout(timer)).catch(reject);
    });
  }

  upload(localPath: string, remotePath: string, options: UploadOptions): Promise<UploadResult> { return upload(this, localPath, remotePath, options); }
  probe(signal?: AbortSignal): Promise<HostProbe> { return probeHost({ run: (argv, options) => this.run(argv, options), roundTrip: () => this.#connection.roundTrip(), now: this.#now }, signal); }
  dispose(): Promise<void> { return this.#connection.dispose(); }

  /** Where the server allows few sessions on one connection (MaxSessions), a further connection carries this command alone. */
  async #openExec(argv: readonly string[]): Promise<RemoteProcess> {
    const client = await this.#connection.client();
    try {
      return await openExec(client, argv);
    } catch (error) {
      if (!(error instanceof VesselError) || error.code !== 'SSH_SESSIONS_EXHAUSTED') throw error;
      const route = await this.#connection.extra();
      for (const one of route.clients) one.on('error', () => undefined); // its command ends with SSH_CONNECTION_LOST
      try {
        const process = await openExec(route.target, argv);
        process.exit.catch(() => undefined).finally(() => closeRoute(route.clients)).catch(() => undefined);
        return process;
      } catch (again) {
        closeRoute(route.clients);
        throw again;
      }
    }
  }
}
