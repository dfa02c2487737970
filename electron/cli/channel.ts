import WebSocket from 'ws';
import { VesselError } from '#shared/errors.ts';
import type { ServerFile } from '#shared/server-file.ts';
import type { Channel } from '#shared/wire.ts';

/** A server on this machine answers its handshake in milliseconds, also under load; longer means it hangs. */
const HANDSHAKE_DEADLINE_MS = 5_000;
/** Sent data the socket may hold before `drained` waits. */
const HIGH_WATER_BYTES = 1024 * 1024;
const DRAIN_POLL_MS = 10;
/** A socket that is held back reads no pings; the server cuts who is silent for 20 s. Unasked pongs (RFC 6455, 5.5.3) say that we live. */
const PAUSED_HEARTBEAT_MS = 5_000;
/** How long a finished command waits for the other side to say goodbye too. */
const CLOSE_PATIENCE_MS = 500;

/** A channel whose incoming side can be held back: the server then waits with what streams to us, instead of our memory filling. */
export type PausableChannel = Channel & { pause(): void; resume(): void };

/** Opens the wire to a running Vessel. Throws SERVER_UNREACHABLE when nobody answers there, UNAUTHENTICATED when it refuses the secret. */
export function openChannel(server: ServerFile): Promise<PausableChannel> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/api/socket`, {
      headers: { authorization: `Bearer ${server.secret}` },
      perMessageDeflate: false,
      handshakeTimeout: HANDSHAKE_DEADLINE_MS,
    });
    // Until the connection stands an error rejects; afterwards `close` always follows and tells everyone.
    socket.on('error', (cause) => reject(unreachable(cause)));
    socket.on('unexpected-response', (_request, response) => {
      response.resume();
      socket.terminate();
      reject(response.statusCode === 401 || response.statusCode === 403
        ? new VesselError('UNAUTHENTICATED', 'Vessel refused the secret of its run file', { hint: 'Restart it: `vessel quit --force`, then `vessel serve`.' })
        : unreachable(new Error(`HTTP ${response.statusCode ?? 0}`)));
    });
    socket.once('open', () => resolve(channelOf(socket)));
  });
}

function channelOf(socket: WebSocket): PausableChannel {
  let closed = false;
  socket.once('close', () => { closed = true; });
  let heartbeat: NodeJS.Timeout | null = null;
  const resume = (): void => {
    if (heartbeat !== null) clearInterval(heartbeat);
    heartbeat = null;
    socket.resume();
  };
  return {
    send: (text) => { if (socket.readyState === WebSocket.OPEN) socket.send(text); },
    onMessage: (listener) => {
      socket.on('message', (data, binary) => {
        if (binary) return socket.close(1003);
        // A frame outside the protocol ends the connection, and with it every request, with a clear error.
        try { listener(bufferOf(data).toString('utf8')); } catch { socket.close(1002); }
      });
    },
    onClose: (listener) => { if (closed) listener(); else socket.once('close', listener); },
    drained: async () => {
      while (!closed && socket.bufferedAmount > HIGH_WATER_BYTES) await new Promise((wake) => { setTimeout(wake, DRAIN_POLL_MS); });
    },
    pause: () => {
      socket.pause();
      heartbeat ??= setInterval(() => socket.pong(), PAUSED_HEARTBEAT_MS).unref();
    },
    resume,
    close: () => {
      resume();
      socket.close();
      setTimeout(() => socket.terminate(), CLOSE_PATIENCE_MS).unref();
    },
  };
}

function bufferOf(data: WebSocket.RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

function unreachable(cause: unknown): VesselError {
  return new VesselError('SERVER_UNREACHABLE', undefined, { cause });
}
