import type { WebSocket } from 'ws';
import type { Channel } from '#shared/wire.ts';

/** A stream pauses while more than this waits for the peer. */
const HIGH_WATER_BYTES = 1024 * 1024;
/** A peer that has not answered a ping by the next one is gone (a laptop that slept, a killed browser). */
export const PING_INTERVAL_MS = 20_000;
/** Unsent bytes at which a peer that does not read is cut off; everything it watches can be replayed. */
const MAX_BUFFERED_BYTES = 64 * 1024 * 1024;

/** A WebSocket as the wire's channel, with heartbeat and back-pressure. */
export function socketChannel(socket: WebSocket, pingIntervalMs = PING_INTERVAL_MS): Channel {
  let isAlive = true;
  let waiters: (() => void)[] = [];
  const wake = (): void => {
    const all = waiters;
    waiters = [];
    for (const waiter of all) waiter();
  };
  const heartbeat = setInterval(() => {
    if (!isAlive) {
      socket.terminate();
      return;
    }
    isAlive = false;
    socket.ping();
  }, pingIntervalMs);
  socket.on('pong', () => { isAlive = true; });
  socket.once('close', () => {
    clearInterval(heartbeat);
    wake();
  });

  return {
    send(text) {
      if (socket.readyState !== socket.OPEN) return;
      if (socket.bufferedAmount > MAX_BUFFERED_BYTES) {
        socket.terminate();
        return;
      }
      // The callback's error means that the socket closes, and 'close' tells that.
      socket.send(text, () => { if (socket.bufferedAmount <= HIGH_WATER_BYTES) wake(); });
    },
    onMessage(listener) {
      socket.on('message', (data, isBinary) => {
        isAlive = true;
        if (isBinary) socket.close(1003, 'text frames only');
        else listener(String(data));
      });
    },
    onClose(listener) {
      if (socket.readyState === socket.CLOSED) listener();
      else socket.once('close', listener);
    },
    drained() {
      if (socket.readyState === socket.CLOSED || (socket.readyState === socket.OPEN && socket.bufferedAmount <= HIGH_WATER_BYTES)) return Promise.resolve();
      // While the socket is closing this waits for 'close': a stream that went on at once would never let that event happen.
      return new Promise((resolve) => { waiters.push(resolve); });
    },
    close: () => socket.close(),
  };
}
