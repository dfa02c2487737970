import type { Duplex } from 'node:stream';
import { WebSocket, type RawData } from 'ws';
import { VesselError } from '#shared/errors.ts';
import { EXEC_FRAME, ExecServerMessageSchema, GUEST_API_PREFIX, type ExecClientMessage } from '#shared/guest-protocol.ts';
import { ErrorShapeSchema } from '#shared/errors.ts';
import { Mailbox } from '../../domain/mailbox.ts';
import type { GuestExec, GuestExecRequest } from '../../ports/guest.ts';
import { guestError } from './guest-request.ts';

type Output = { readonly stream: 'stdout' | 'stderr'; readonly data: Buffer };
/** The agent answers `started` once the process exists; an emulated guest under load needs its time. */
const START_MS = 30_000;

/** Starts a command in the guest; resolves when it runs. Throws EXEC_FAILED as the agent said it. */
export async function startExec(dial: () => Promise<Duplex>, token: string, request: GuestExecRequest, signal: AbortSignal | undefined): Promise<GuestExec> {
  const asked = { yet: false };
  try {
    return await attempt(dial, token, request, signal, asked);
  } catch (error) {
    // The forwarder of a guest that was just restored resets early connections. Nothing was asked for yet, so nothing can run twice.
    if (asked.yet || signal?.aborted === true || VesselError.from(error).code !== 'GUEST_UNREACHABLE') throw error;
    return attempt(dial, token, request, signal, asked);
  }
}

async function attempt(dial: () => Promise<Duplex>, token: string, request: GuestExecRequest, signal: AbortSignal | undefined, asked: { yet: boolean }): Promise<GuestExec> {
  let stream: Duplex;
  try {
    stream = await dial();
  } catch (error) {
    throw guestError(error, signal);
  }
  const socket = new WebSocket(`ws://guest${GUEST_API_PREFIX}/exec`, {
    createConnection: () => stream as never, headers: { authorization: `Bearer ${token}` }, perMessageDeflate: false, handshakeTimeout: START_MS,
  });
  const output = new Mailbox<Output>(null);
  const send = (message: ExecClientMessage): void => { if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message)); };
  return new Promise<GuestExec>((resolve, reject) => {
    const exit = Promise.withResolvers<{ readonly code: number | null; readonly signal: string | null }>();
    // Read by whoever awaits the exit; a command nobody waits for must not crash the process.
    exit.promise.catch(() => undefined);
    const fail = (error: VesselError): void => { clearTimeout(timer); output.close(); exit.reject(error); reject(error); socket.terminate(); };
    const timer = setTimeout(() => fail(new VesselError('GUEST_TIMEOUT', 'The guest did not start the command in time')), START_MS);
    const onAbort = (): void => fail(new VesselError('CANCELLED'));
    if (signal?.aborted === true) { onAbort(); return; }
    signal?.addEventListener('abort', onAbort, { once: true });

    socket.on('open', () => {
      asked.yet = true;
      send({ type: 'start', argv: [...request.argv], cwd: request.cwd, env: { ...request.env }, pty: request.pty === null ? null : { ...request.pty } });
    });
    socket.on('unexpected-response', (_request, response) => fail(response.statusCode === 401 ? new VesselError('GUEST_UNAUTHORIZED') : new VesselError('GUEST_UNREACHABLE', `The guest agent answered exec with status ${response.statusCode}`)));
    socket.on('error', (error) => fail(guestError(error, signal)));
    socket.on('close', () => { signal?.removeEventListener('abort', onAbort); fail(new VesselError('GUEST_UNREACHABLE', 'The connection to the command was cut')); });
    socket.on('message', (data: RawData, isBinary: boolean) => {
      const bytes = toBuffer(data);
      if (isBinary) { output.push({ stream: bytes[0] === EXEC_FRAME.stderr ? 'stderr' : 'stdout', data: bytes.subarray(1) }); return; }
      const message = parseServerMessage(bytes);
      if (message === null) { fail(new VesselError('GUEST_UNREACHABLE', 'The guest agent sent an unknown exec message')); return; }
      switch (message.type) {
        case 'started':
          clearTimeout(timer);
          resolve({
            pid: message.pid, output, exit: exit.promise,
            write: (chunk) => { if (socket.readyState === WebSocket.OPEN) socket.send(Buffer.concat([Buffer.from([EXEC_FRAME.stdin]), chunk]), { binary: true }); },
            endInput: () => send({ type: 'stdin-end' }),
            signal: (name) => send({ type: 'signal', signal: name }),
            resize: (cols, rows) => send({ type: 'resize', cols, rows }),
            close: () => socket.terminate(),
          });
          return;
        case 'exit': exit.resolve({ code: message.code, signal: message.signal }); output.close(); socket.close(); return;
        case 'error': {
          const shape = ErrorShapeSchema.safeParse(message.error);
          fail(shape.success ? VesselError.fromShape(shape.data) : new VesselError('EXEC_FAILED'));
        }
      }
    });
  });
}

function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

function parseServerMessage(bytes: Buffer): ReturnType<typeof ExecServerMessageSchema.parse> | null {
  try {
    return ExecServerMessageSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch {
    // The caller fails the exec: an agent that speaks otherwise is of another version.
    return null;
  }
}
