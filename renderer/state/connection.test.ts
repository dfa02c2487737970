import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Channel, channelPair } from '#shared/wire.ts';
import { backOff, connect, type Connection, type ConnectionState } from './connection.ts';

type Peer = { readonly channel: Channel; answer(value: unknown): void };

/** A server side that answers every call with what `answer` was told. */
function dialler(): { readonly open: () => Promise<Channel>; readonly peers: Peer[]; refuse: boolean } {
  const peers: Peer[] = [];
  const self = {
    peers, refuse: false,
    open: (): Promise<Channel> => {
      if (self.refuse) return Promise.reject(new Error('refused'));
      const [mine, theirs] = channelPair();
      let value: unknown = {};
      theirs.onMessage((text) => {
        const frame = JSON.parse(text) as { readonly t: string; readonly id: number };
        if (frame.t === 'call') theirs.send(JSON.stringify({ t: 'result', id: frame.id, value }));
      });
      peers.push({ channel: theirs, answer: (next) => { value = next; } });
      return Promise.resolve(mine);
    },
  };
  return self;
}

const flush = (): Promise<void> => vi.advanceTimersByTimeAsync(0).then(() => undefined);
let connection: Connection | null = null;
afterEach(() => { connection?.close(); vi.useRealTimers(); });

describe('connect', () => {
  it('says reconnecting after a loss, comes back by itself, and calls then use the new channel', async () => {
    vi.useFakeTimers();
    const server = dialler();
    const states: ConnectionState['phase'][] = [];
    connection = connect(server.open, (state) => states.push(state.phase));
    await flush();
    expect(states).toEqual(['connecting', 'online']);
    server.peers[0]?.channel.close();
    expect(states.at(-1)).toBe('reconnecting');
    await vi.advanceTimersByTimeAsync(500);
    expect(states.at(-1)).toBe('online');
    server.peers[1]?.answer({ ok: true });
    await expect(connection.client.call('app.quit', {})).resolves.toEqual({ ok: true });
  });

  it('lets a call made while offline wait for the connection instead of failing at once', async () => {
    vi.useFakeTimers();
    const server = dialler();
    server.refuse = true;
    connection = connect(server.open, () => undefined);
    await flush();
    const answer = connection.client.call('environments.orphans', {});
    server.refuse = false;
    const seen = expect(answer).rejects.toMatchObject({ code: 'INTERNAL' }); // the peer's empty answer does not fit the contract: it was asked
    await vi.advanceTimersByTimeAsync(2_000);
    await seen;
  });

  it('tells the caller that Vessel does not answer once the wait is over', async () => {
    vi.useFakeTimers();
    const server = dialler();
    server.refuse = true;
    connection = connect(server.open, () => undefined);
    const seen = expect(connection.client.call('settings.get', {})).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
    await vi.advanceTimersByTimeAsync(10_000);
    await seen;
  });

  it('dials at once when told to retry now', async () => {
    vi.useFakeTimers();
    const server = dialler();
    server.refuse = true;
    let last: ConnectionState = { phase: 'connecting' };
    connection = connect(server.open, (state) => { last = state; });
    await vi.advanceTimersByTimeAsync(5_000);
    server.refuse = false;
    connection.retryNow();
    await flush();
    expect(last).toEqual({ phase: 'online' });
  });
});

it('waits longer after each failure, but never longer than ten seconds', () => {
  const waits = Array.from({ length: 12 }, (_, index) => backOff(index + 1, 0.5));
  expect(waits[0]).toBe(200);
  expect(waits[1]).toBe(400);
  expect(Math.max(...waits)).toBeLessThanOrEqual(10_000);
});
