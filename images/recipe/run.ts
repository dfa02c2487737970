import { spawn } from 'node:child_process';
import { VesselError } from '#shared/errors.ts';

/** Lines of a failed command that go into the error: enough for apt's and npm's own explanation. */
const TAIL_LINES = 40;

export type RunOptions = {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Buffer;
  readonly signal?: AbortSignal | undefined;
  readonly onLine?: (line: string) => void;
  /** What failed, in words, for the error. */
  readonly what: string;
};

/** What of npm's settings says how packages are reached. */
const NPM_NETWORK = /^npm_config_(?:registry|proxy|https?_proxy|noproxy)$/i;

/**
 * The environment for the builders' tools. npm hands its whole configuration to what it runs (`npm test`, `npm start`), folders of this
 * user and this computer among it; inside a guest's tree another user's npm would take them for its own, and fail.
 */
export const environmentOf = (env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !/^npm_/i.test(name) || NPM_NETWORK.test(name)));

/**
 * Runs a command to its end and returns its standard output (text).
 *
 * The command gets a process group of its own, so that a cancel ends what it started too. Throws PROVISION_FAILED with the last
 * lines of both streams, CANCELLED after an abort.
 */
export async function run(argv: readonly string[], options: RunOptions): Promise<string> {
  options.signal?.throwIfAborted();
  const [program, ...args] = argv;
  if (program === undefined) throw new VesselError('INTERNAL', 'No command to run');
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: options.cwd, env: { ...environmentOf(process.env), ...options.env }, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    const tail: string[] = [];
    const output: string[] = [];
    const take = (line: string): void => {
      tail.push(line);
      if (tail.length > TAIL_LINES) tail.shift();
      options.onLine?.(line);
    };
    const lines = (stream: NodeJS.ReadableStream, keep: boolean): void => {
      let rest = '';
      stream.setEncoding('utf8');
      stream.on('data', (chunk: string) => {
        if (keep) output.push(chunk);
        const parts = (rest + chunk).split(/\r?\n/);
        rest = parts.pop() ?? '';
        for (const part of parts) if (part !== '') take(part);
      });
      stream.on('end', () => { if (rest !== '') take(rest); });
    };
    lines(child.stdout, true);
    lines(child.stderr, false);
    const abort = (): void => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGTERM');
      } catch (error) {
        // It ended in the same moment: nothing is left to stop.
        if ((error as { readonly code?: unknown }).code !== 'ESRCH') throw error;
      }
    };
    options.signal?.addEventListener('abort', abort, { once: true });
    const settle = (failure: VesselError | null): void => {
      options.signal?.removeEventListener('abort', abort);
      if (options.signal?.aborted === true) reject(new VesselError('CANCELLED', `${options.what}: cancelled`));
      else if (failure !== null) reject(failure);
      else resolve(output.join(''));
    };
    child.on('error', (error) => {
      const missing = (error as { readonly code?: unknown }).code === 'ENOENT';
      settle(new VesselError('PROVISION_FAILED', missing ? `${options.what}: ${program} is not installed` : `${options.what}: ${error.message}`, { cause: error, details: { program } }));
    });
    child.on('close', (code, signal) => {
      if (code === 0) settle(null);
      else settle(new VesselError('PROVISION_FAILED', `${options.what} failed (${program} ended with ${code ?? signal ?? 'nothing'})`, { details: { program, code, signal }, logTail: tail }));
    });
    // A command that ends before it read everything closes the pipe; its exit code tells the story.
    child.stdin.on('error', (error) => take(`stdin: ${error.message}`));
    child.stdin.end(options.stdin ?? '');
  });
}
