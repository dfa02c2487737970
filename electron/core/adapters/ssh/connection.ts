import type { Client } from 'ssh2';
import type { HostConnection } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { ConnectOptions } from '../../ports/remote-host.ts';
import type { SecretStore } from '../../ports/secret-store.ts';
import { backoffMs } from './backoff.ts';
import type { SshHop } from './config.ts';
import type { HostKeyFiles } from './host-key-files.ts';
import { checkShell } from './login-shell.ts';
import { closeRoute, openRoute, type OpenRoute } from './open-route.ts';
import { Questions } from './questions.ts';
import { watchForWaking } from './wake-watch.ts';

export type SshConnectionOptions = {
  /** Read anew for each attempt: the configuration may have been repaired meanwhile. Throws BAD_REQUEST, SSH_CONFIG_INVALID. */
  readonly hops: () => Promise<readonly SshHop[]>;
  /** For log lines. */
  readonly name: string;
  readonly hostKeys: HostKeyFiles;
  readonly secrets: SecretStore;
  readonly log: (line: string) => void;
};

/** How long a line that is under suspicion may take to answer. */
const PROOF_MS = 3_000;
const NOBODY: ConnectOptions = { prompter: null, acceptHostKeys: [] };

/**
 * The one kept connection to a host: made when first needed, shared by everybody, probed, and made again when it breaks.
 * After a first success it reconnects by itself until it is disposed, unless what stands in the way needs a person.
 */
export class SshConnection {
  readonly #options: SshConnectionOptions;
  readonly #listeners = new Set<(state: HostConnection) => void>();
  readonly #gone = new AbortController();
  #state: HostConnection = { state: 'idle', nextTryAt: null, error: null };
  #route: OpenRoute | null = null;
  #attempt: Promise<Client> | null = null;
  #retry: NodeJS.Timeout | null = null;
  #failures = 0;
  readonly #told = new Set<string>();
  /** True once it worked: from then on it is kept up. */
  #kept = false;
  #stopWatching: () => void = () => undefined;
  #proving: Promise<boolean> | null = null;

  constructor(options: SshConnectionOptions) { this.#options = options; }

  get state(): HostConnection { return this.#state; }

  onState(listener: (state: HostConnection) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * The logged-in client; connects if need be. Callers at the same time share one attempt; aborting ends only the own wait.
   * Without options it is not tried again where only a person can help, until somebody asks with options.
   */
  async client(asked?: ConnectOptions): Promise<Client> {
    const options = asked ?? NOBODY;
    if (options.signal?.aborted === true) throw new VesselError('CANCELLED');
    if (this.#gone.signal.aborted) throw new VesselError('INTERRUPTED', 'The connection was closed');
    if (this.#route !== null) return this.#route.target;
    // What a person must settle is not knocked at again and again by everybody: servers lock out who fails too often.
    if (asked === undefined && this.#state.state === 'down' && this.#state.error?.retryable === false) throw VesselError.fromShape(this.#state.error);
    // An attempt under way that could ask nobody is waited for; if it fails, the one who can ask tries again.
    if (this.#attempt !== null) {
      const joined = await withSignal(this.#attempt, options.signal).then((client) => ({ client }), (error: unknown) => ({ error }));
      if ('client' in joined) return joined.client;
      if (options.prompter === null && options.acceptHostKeys.length === 0) throw joined.error;
    }
    if (this.#route !== null) return (this.#route as OpenRoute).target;
    this.#attempt ??= this.#connect(options).finally(() => { this.#attempt = null; });
    return withSignal(this.#attempt, options.signal);
  }

  /** A further connection beside the kept one, for servers that allow few sessions on one. The caller closes it. */
  async extra(): Promise<OpenRoute> {
    return this.#open(NOBODY);
  }

  /** Milliseconds that one question and its answer take on the line; null when it does not answer. */
  async roundTrip(): Promise<number | null> {
    const client = await this.client();
    const asked = performance.now();
    return await answers(client) ? performance.now() - asked : null;
  }

  /** Asks the line whether it is alive; a silent one is torn down, and then made anew. */
  prove(why: string): Promise<boolean> {
    const route = this.#route;
    if (route === null) return Promise.resolve(false);
    this.#proving ??= answers(route.target).then((alive) => {
      if (!alive) {
        this.#options.log(`ssh ${this.#options.name}: no answer (${why}); connecting anew`);
        route.target.destroy();
        this.#lost(route, new VesselError('SSH_CONNECTION_LOST', `The host no longer answers (${why})`));
      }
      return alive;
    }).finally(() => { this.#proving = null; });
    return this.#proving;
  }

  dispose(): Promise<void> {
    this.#gone.abort();
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#stopWatching();
    const route = this.#route;
    this.#route = null;
    if (route === null) return Promise.resolve();
    const closed = new Promise<void>((resolve) => { route.target.once('close', () => resolve()); setTimeout(resolve, PROOF_MS).unref(); });
    closeRoute(route.clients);
    this.#set({ state: 'idle', nextTryAt: null, error: null });
    return closed;
  }

  async #connect(options: ConnectOptions): Promise<Client> {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    this.#set({ state: this.#kept ? 'reconnecting' : 'connecting', nextTryAt: null, error: this.#state.error });
    try {
      const route = await this.#open(options);
      try {
        await checkShell(route.target);
      } catch (error) {
        closeRoute(route.clients);
        throw error;
      }
      this.#gone.signal.throwIfAborted();
      this.#adopt(route);
      return route.target;
    } catch (error) {
      const known = this.#gone.signal.aborted ? new VesselError('INTERRUPTED', 'The connection was closed') : VesselError.from(error);
      this.#failed(known);
      throw known;
    }
  }

  #open(options: ConnectOptions): Promise<OpenRoute> {
    const signal = this.#gone.signal;
    const questions = new Questions(options.prompter, this.#options.secrets, signal);
    // The hops are resolved inside the promise: a mistake of the configuration is this attempt's failure.
    return this.#options.hops().then((hops) => {
      this.#tell(hops.flatMap(({ notices }) => notices));
      return openRoute({ hops, questions, hostKeys: this.#options.hostKeys, acceptHostKeys: options.acceptHostKeys, signal });
    });
  }

  #adopt(route: OpenRoute): void {
    this.#route = route;
    this.#kept = true;
    this.#failures = 0;
    for (const client of route.clients) {
      client.on('error', (error: Error) => this.#options.log(`ssh ${this.#options.name}: ${error.message}`));
      client.on('close', () => this.#lost(route, new VesselError('SSH_CONNECTION_LOST', 'The connection to the host broke')));
    }
    this.#stopWatching();
    this.#stopWatching = watchForWaking((why) => { this.prove(why).catch((error: unknown) => this.#options.log(String(error))); });
    this.#set({ state: 'connected', nextTryAt: null, error: null });
  }

  #lost(route: OpenRoute, error: VesselError): void {
    if (this.#route !== route) return;
    this.#route = null;
    for (const client of route.clients) client.destroy();
    if (!this.#gone.signal.aborted) this.#failed(error);
  }

  /** What a person must settle ends in `down`; everything else is tried again, if it ever worked. */
  #failed(error: VesselError): void {
    if (this.#gone.signal.aborted) return;
    if (!this.#kept || !error.retryable) {
      this.#set({ state: 'down', nextTryAt: null, error: error.toShape() });
      return;
    }
    this.#failures += 1;
    const wait = backoffMs(this.#failures, Math.random());
    this.#set({ state: 'reconnecting', nextTryAt: Date.now() + wait, error: error.toShape() });
    this.#retry = setTimeout(() => {
      this.#retry = null;
      // Its failure shows in the state, and plans the next attempt.
      this.client().catch(() => undefined);
    }, wait);
    this.#retry.unref();
  }

  #set(state: HostConnection): void {
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }

  /** Each once: a connection is made again and again. */
  #tell(notices: readonly string[]): void {
    for (const notice of notices) {
      if (this.#told.has(notice)) continue;
      this.#told.add(notice);
      this.#options.log(`ssh ${this.#options.name}: ${notice}`);
    }
  }
}

/** Any answer to a global request proves life: cancelling a forwarding that never was is refused at once, and changes nothing. */
function answers(client: Client): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), PROOF_MS);
    const yes = (alive: boolean): void => { clearTimeout(timer); resolve(alive); };
    try {
      client.unforwardIn('127.0.0.1', 1, (error) => yes(error == null || !/No response|Not connected/.test(error.message)));
    } catch {
      yes(false); // thrown only when the socket is already closed
    }
  });
}

function withSignal<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  work.catch(() => undefined); // whoever gives up waiting no longer hears of its failure
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new VesselError('CANCELLED'));
    if (signal.aborted) { onAbort(); return; }
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort)).catch(() => undefined);
  });
}
