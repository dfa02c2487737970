import { spawn } from 'node:child_process';
import { VesselError } from '#shared/errors.ts';

export type CommandOptions = {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until the command is killed; it then fails with TIMEOUT. */
  readonly deadlineMs: number;
  readonly stdin?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Called with each whole line of either stream. */
  readonly onLine?: ((line: string) => void) | undefined;
};
export type CommandResult = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Keep what helps to understand a failure, not a whole package manager's output. */
const TAIL_LINES = 20;
const MAX_OUTPUT_CHARS = 4 * 1024 * 1024;

function lineSplitter(onLine: (line: string) => void): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  };
}

/** Runs a program with an argument array and gives its output whatever its exit code. Rejects when it cannot start, passes its deadline or is cancelled. */
export function runCommand(argv: readonly [string, ...string[]], options: CommandOptions): Promise<CommandResult> {
  const [program, ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'], uid: options.uid, gid: options.gid,
      env: { ...process.env, ...options.env }, signal: options.signal, timeout: options.deadlineMs, killSignal: 'SIGKILL',
    });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      const split = options.onLine === undefined ? null : lineSplitter(options.onLine);
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        if (output[name].length < MAX_OUTPUT_CHARS) output[name] += chunk;
        split?.(chunk);
      });
    }
    // A program that ends without reading its input closes the pipe; its exit code tells the story.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.stdin ?? '');
    const started = Date.now();
    child.on('error', (error) => reject(VesselError.from(error)));
    child.on('close', (code) => {
      if (code !== null) return resolve({ code, ...output });
      if (Date.now() - started >= options.deadlineMs) return reject(new VesselError('TIMEOUT', `${program} took longer than ${options.deadlineMs} ms`));
      resolve({ code: -1, ...output });
    });
  });
}

/** As {@link runCommand}, but an exit code other than 0 is an INTERNAL error that carries the last lines of its output. */
export async function runChecked(argv: readonly [string, ...string[]], options: CommandOptions): Promise<CommandResult> {
  const result = await runCommand(argv, options);
  if (result.code === 0) return result;
  const logTail = `${result.stdout}\n${result.stderr}`.split('\n').filter((line) => line.trim() !== '').slice(-TAIL_LINES);
  throw new VesselError('INTERNAL', `${argv[0]} ended with code ${result.code}${logTail.length > 0 ? `: ${logTail.at(-1)}` : ''}`, { logTail });
}
