import type { Duplex } from 'node:stream';
import { WebSocket, type RawData } from 'ws';
import { VesselError } from '#shared/errors.ts';
import { EXEC_FRAME, ExecServerMessageSchema, GUEST_API_PREFIX, type ExecClientMessage, type ExecServerMessage } from '#shared/guest-protocol.ts';
import { guestFailure, GUEST_LIMITS, parseGuestJson } from '#shared/guest-text.ts';
import type { GuestExec, GuestExecRequest } from '../../ports/guest.ts';
import { ExecOutput } from './exec-output.ts';
import { guestError, odd } from './guest-request.ts';

/** The agent sends what it reads from a pipe at once, 64 KB; more in one frame is none of ours. */
const MAX_FRAME_BYTES = 1024 * 1024;
/** Input on its way to a command that does not read; its sender waits. */
const MAX_INPUT_BYTES = 256 * 1024;
/** An answer to a ping that has to queue behind so much is not sent: the guest does not read. */
const MAX_PONG_QUEUE_BYTES = 64 * 1024;
/** Of one command. The agent sends none; their flood would keep the event loop busy with answers. */
const MAX_PINGS = 10_000;
/** After the exit the agent closes; one that does not is left. */
const GOODBYE_MS = 1_000;

export type ExecTarget = { readonly dial: () => Promise<Duplex>; readonly token: string; /** From dialing to a command that runs. */ readonly startMs: number };

/** Starts a command in the guest; resolves when it runs. Throws EXEC_FAILED as the agent said it. */
export async function startExec(target: ExecTarget, request: GuestExecRequest, signal: AbortSignal | undefined): Promise<GuestExec> {
  const asked = { yet: false };
  try {
    return await attempt(target, request, signal, asked);
  } catch (error) {
    // The forwarder of a guest that was just restored resets early connections. Nothing was asked for yet, so nothing can run twice.
    if (asked.yet || signal?.aborted === true || VesselError.from(error).code !== 'GUEST_UNREACHABLE') throw error;
    return attempt(target, request, signal, asked);
  }
}

async function attempt({ dial, token, startMs }: ExecTarget, request: GuestExecRequest, signal: AbortSignal | undefined, asked: { yet: boolean }): Promise<GuestExec> {
  const stream = await dialInTime(dial, startMs, signal);
  const socket = new WebSocket(`ws://guest${GUEST_API_PREFIX}/exec`, {
    createConnection: () => stream as never, headers: { authorization: `Bearer ${token}` }, perMessageDeflate: false, handshakeTimeout: startMs,
    maxPayload: MAX_FRAME_BYTES, maxHeaderSize: GUEST_LIMITS.headerBytes, autoPong: false,
  });
  const output = new ExecOutput(socket);
  const send = (message: ExecClientMessage): void => { if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message)); };
  return new Promise<GuestExec>((resolve, reject) => {
    const exit = Promise.withResolvers<{ readonly code: number | null; readonly signal: string | null }>();
    // Read by whoever awaits the exit; a command nobody waits for must not crash the process.
    exit.promise.catch(() => undefined);
    let state: 'starting' | 'running' | 'ended' = 'starting';
    const end = (): void => {
      state = 'ended';
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      output.close();
      // A paused socket hears of no closing.
      if (socket.readyState === WebSocket.OPEN) socket.resume();
    };
    const fail = (error: VesselError): void => { if (state === 'ended') return; end(); exit.reject(error); reject(error); socket.terminate(); };
    const timer = setTimeout(() => fail(new VesselError('GUEST_TIMEOUT', 'The guest did not start the command in time')), startMs);
    const onAbort = (): void => fail(new VesselError('CANCELLED'));
    socket.on('error', (error) => fail(guestError(error, signal)));
    if (signal?.aborted === true) { onAbort(); return; }
    signal?.addEventListener('abort', onAbort, { once: true });

    socket.on('open', () => {
      asked.yet = true;
      send({ type: 'start', argv: [...request.argv], cwd: request.cwd, env: { ...request.env }, pty: request.pty === null ? null : { ...request.pty } });
    });
    socket.on('unexpected-response', (_request, response) => {
      response.destroy();
      fail(response.statusCode === 401 ? new VesselError('GUEST_UNAUTHORIZED') : odd(`answered exec with status ${response.statusCode}`));
    });
    let pings = 0;
    socket.on('ping', (data) => {
      if (state === 'ended') return;
      pings += 1;
      if (pings > MAX_PINGS) { fail(odd('sent pings without end')); return; }
      if (socket.bufferedAmount < MAX_PONG_QUEUE_BYTES) socket.pong(data);
    });
    socket.on('close', () => fail(new VesselError('GUEST_UNREACHABLE', 'The connection to the command was cut')));
    socket.on('message', (data: RawData, isBinary: boolean) => {
      if (state === 'ended') return;
      const bytes = toBuffer(data);
      if (isBinary) {
        if (state === 'starting') { fail(odd('sent output of a command that it had not started')); return; }
        if (bytes[0] !== EXEC_FRAME.stdout && bytes[0] !== EXEC_FRAME.stderr) { fail(odd('sent an exec frame of an unknown kind')); return; }
        output.push({ stream: bytes[0] === EXEC_FRAME.stderr ? 'stderr' : 'stdout', data: bytes.subarray(1) });
        return;
      }
      const message = parseServerMessage(bytes);
      if (message === null) { fail(odd('sent an unknown exec message')); return; }
      switch (message.type) {
        case 'started':
          if (state === 'running') { fail(odd('started a command twice')); return; }
          state = 'running';
          clearTimeout(timer);
          resolve({
            pid: message.pid, output, exit: exit.promise,
            write: (chunk) => writeInput(socket, chunk),
            endInput: () => send({ type: 'stdin-end' }),
            signal: (name) => send({ type: 'signal', signal: name }),
            resize: (cols, rows) => send({ type: 'resize', cols, rows }),
            close: () => { output.close(); socket.terminate(); },
          });
          return;
        case 'exit':
          if (state === 'starting') { fail(odd('ended a command that it had not started')); return; }
          exit.resolve({ code: message.code, signal: message.signal });
          end();
          socket.close();
          setTimeout(() => socket.terminate(), GOODBYE_MS).unref();
          return;
        case 'error': fail(guestFailure(message.error) ?? new VesselError('EXEC_FAILED'));
      }
    });
  });
}

/** Throws GUEST_TIMEOUT, CANCELLED or why there is no way; a connection that comes later is closed. */
async function dialInTime(dial: () => Promise<Duplex>, ms: number, signal: AbortSignal | undefined): Promise<Duplex> {
  const gaveUp = Promise.withResolvers<never>();
  const timer = setTimeout(() => gaveUp.reject(new VesselError('GUEST_TIMEOUT', 'The way to the guest did not open in time')), ms);
  const onAbort = (): void => gaveUp.reject(new VesselError('CANCELLED'));
  signal?.addEventListener('abort', onAbort, { once: true });
  let isLate = false;
  const dialing = dial();
  dialing.then((stream) => { if (isLate) stream.destroy(); }, () => undefined);
  try {
    return await Promise.race([dialing, gaveUp.promise]);
  } catch (error) {
    isLate = true;
    throw guestError(error, signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Resolves when no more than {@link MAX_INPUT_BYTES} wait, or the connection has ended. */
function writeInput(socket: WebSocket, chunk: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState !== WebSocket.OPEN) { resolve(); return; }
    const done = (): void => { socket.off('close', done); resolve(); };
    socket.once('close', done);
    // The error of a connection that broke is told by `close`.
    socket.send(Buffer.concat([Buffer.from([EXEC_FRAME.stdin]), chunk]), { binary: true }, done);
    if (socket.bufferedAmount <= MAX_INPUT_BYTES) done();
  });
}

function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

function parseServerMessage(bytes: Buffer): ExecServerMessage | null {
  const parsed = ExecServerMessageSchema.safeParse(parseGuestJson(bytes));
  // The caller fails the exec: an agent that speaks otherwise is of another version.
  return parsed.success ? parsed.data : null;
}
