import type { Client, StreamInput } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import { exitCodeOfSignal } from './exit-codes.ts';
import type { ForwardedSignal, Runtime } from './runtime.ts';

/** Input travels as base64 in JSON: small enough to keep a keystroke quick, large enough to stream a file. */
const INPUT_CHUNK_BYTES = 64 * 1024;
const FALLBACK_TERMINAL = { cols: 80, rows: 24 } as const;

export type ExecRequest = {
  readonly projectId: string;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly tty: boolean;
};
export type ExecSink = { stdout(data: Buffer): Promise<void>; stderr(data: Buffer): Promise<void> };
export type ExecEnd = { readonly code: number | null; readonly signal: string | null; readonly exitCode: number };

/**
 * Runs a command in the environment with this process as its terminal: input, output, signals and window size pass through,
 * in raw mode when there is a pty on a real terminal. Resolves when the command has ended and its output is written.
 */
export async function runExec(client: Client, runtime: Runtime, request: ExecRequest, sink: ExecSink): Promise<ExecEnd> {
  const controller = new AbortController();
  const undo: (() => void)[] = [];
  let end: ExecEnd | null = null;
  try {
    const input: StreamInput<'exec.run'> = {
      projectId: request.projectId, argv: [...request.argv], cwd: request.cwd, env: { ...request.env }, pty: request.tty ? terminalSize(runtime) : null,
    };
    for await (const item of client.stream('exec.run', input, { signal: controller.signal })) {
      switch (item.kind) {
        case 'started': undo.push(...attach(client, runtime, item.execId, request.tty, controller)); break;
        case 'stdout': await sink.stdout(Buffer.from(item.data, 'base64')); break;
        case 'stderr': await sink.stderr(Buffer.from(item.data, 'base64')); break;
        case 'exit': end = { code: item.code, signal: item.signal, exitCode: item.signal === null ? item.code ?? 1 : exitCodeOfSignal(item.signal) }; break;
      }
    }
  } catch (error) {
    if (controller.signal.reason instanceof VesselError) throw controller.signal.reason;
    throw error;
  } finally {
    for (const act of undo.reverse()) act();
  }
  if (end === null) throw new VesselError('EXEC_FAILED', 'The command ended without saying how', { retryable: true });
  return end;
}

function terminalSize(runtime: Runtime): { cols: number; rows: number } {
  return { cols: runtime.stdout.columns ?? FALLBACK_TERMINAL.cols, rows: runtime.stdout.rows ?? FALLBACK_TERMINAL.rows };
}

/** Connects this process to the running command; the returned functions undo it. */
function attach(client: Client, runtime: Runtime, execId: string, tty: boolean, controller: AbortController): (() => void)[] {
  const undo: (() => void)[] = [];
  // The command may end while a call is on its way: NOT_FOUND then only says that it is too late. Anything else ends the run.
  const tolerate = (error: unknown): void => {
    if (!(error instanceof VesselError) || (error.code !== 'NOT_FOUND' && error.code !== 'SERVER_UNREACHABLE')) controller.abort(VesselError.from(error));
  };
  const { stdin } = runtime;
  const raw = tty && stdin.isTTY === true && stdin.setRawMode !== undefined;
  if (raw) {
    stdin.setRawMode?.(true);
    undo.push(() => stdin.setRawMode?.(false));
  }
  const pump = pumpInput(client, runtime, execId);
  pump.done.catch(tolerate);
  undo.push(pump.stop);
  const forward = (signal: ForwardedSignal): void => {
    undo.push(runtime.onSignal(signal, () => { client.call('exec.signal', { execId, signal }).catch(tolerate); }));
  };
  forward('SIGTERM');
  forward('SIGHUP');
  // In raw mode Ctrl-C is a byte that the guest's terminal turns into the signal.
  if (!raw) forward('SIGINT');
  if (tty) undo.push(runtime.onSignal('SIGWINCH', () => { client.call('exec.resize', { execId, ...terminalSize(runtime) }).catch(tolerate); }));
  return undo;
}

/** Sends stdin in order, one call at a time: the answer is the back-pressure. */
function pumpInput(client: Client, runtime: Runtime, execId: string): { readonly done: Promise<void>; readonly stop: () => void } {
  const { stdin } = runtime;
  let stopped = false;
  const run = async (): Promise<void> => {
    try {
      for await (const chunk of stdin) {
        const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
        for (let at = 0; at < bytes.length; at += INPUT_CHUNK_BYTES) {
          await client.call('exec.input', { execId, data: bytes.subarray(at, at + INPUT_CHUNK_BYTES).toString('base64') });
        }
      }
    } catch (error) {
      if (stopped) return; // our own `stop` ended the stream under the loop
      throw error;
    }
    if (!stopped) await client.call('exec.endInput', { execId });
  };
  return { done: run(), stop: () => { stopped = true; stdin.destroy(); } };
}
