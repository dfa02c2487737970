import { Agent, type ClientRequestArgs } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Route } from '../../ports/gateway.ts';

export type RunningRoute = Extract<Route, { kind: 'running' }>;

/** A browser opens at most six connections to an origin; an environment has several origins (IDE, ports) and WebSockets beside. */
const MAX_CONNECTIONS = 64;
const MAX_IDLE_CONNECTIONS = 16;

export type Upstreams = {
  /** The pool of kept-alive connections to this environment's agent. A new token is a new machine: the old pool is dropped. */
  agentFor(projectId: string, route: RunningRoute): Agent;
  /** Drops the pool of an environment that has stopped. */
  forget(projectId: string): void;
  close(): void;
};

export function createUpstreams(): Upstreams {
  type Pool = { readonly token: string; readonly agent: Agent; dial: RunningRoute['dial'] };
  const pools = new Map<string, Pool>();
  const forget = (projectId: string): void => {
    pools.get(projectId)?.agent.destroy();
    pools.delete(projectId);
  };
  return {
    agentFor(projectId, route) {
      const known = pools.get(projectId);
      if (known?.token === route.token) {
        known.dial = () => route.dial();
        return known.agent;
      }
      forget(projectId);
      const pool: Pool = { token: route.token, agent: new DialAgent(() => pool.dial()), dial: () => route.dial() };
      pools.set(projectId, pool);
      return pool.agent;
    },
    forget,
    close() {
      for (const projectId of [...pools.keys()]) forget(projectId);
    },
  };
}

/** An http.Agent whose connections come from `dial`, whatever carries them (a TCP socket, an SSH channel). */
class DialAgent extends Agent {
  readonly #dial: () => Promise<Duplex>;

  constructor(dial: () => Promise<Duplex>) {
    super({ keepAlive: true, maxSockets: MAX_CONNECTIONS, maxFreeSockets: MAX_IDLE_CONNECTIONS, scheduling: 'lifo' });
    this.#dial = dial;
  }

  override createConnection(_options: ClientRequestArgs, done: (error: Error | null, stream: Duplex) => void): Duplex | null {
    this.#dial().then(
      (duplex) => done(null, asSocket(duplex)),
      // Node's callback takes (error) alone; its type wants a stream as well.
      (error: unknown) => (done as (error: unknown) => void)(error),
    );
    return null;
  }
}

type SocketLike = { setKeepAlive?: unknown; setNoDelay?: unknown; setTimeout?: unknown; ref?: unknown; unref?: unknown };

/** node:http expects a few methods of net.Socket on its connections. Missing ones become no-ops; TCP sends at once. */
export function asSocket(duplex: Duplex): Duplex {
  const socket = duplex as Duplex & SocketLike;
  const self = (): Duplex => duplex;
  socket.setKeepAlive ??= self;
  socket.setNoDelay ??= self;
  socket.setTimeout ??= self;
  socket.ref ??= self;
  socket.unref ??= self;
  (socket.setNoDelay as (on: boolean) => unknown).call(socket, true);
  return duplex;
}
