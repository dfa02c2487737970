import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import { unpacked } from './unpacked.ts';

/** Opening the database and a port takes well under a second; a busy machine many. */
const READY_DEADLINE_MS = 60_000;
/** The server gives its own end 8 s. */
const STOP_DEADLINE_MS = 10_000;
const LOG_TAIL_LINES = 20;

/** The line that the server prints with `--json` once it answers. */
const ReadySchema = z.object({ url: z.string(), baseUrl: z.string(), port: z.number().int(), pid: z.number().int(), already: z.boolean().default(false) });

export type RunningServer = {
  /** The app's address with a one-time ticket. */
  readonly url: string;
  readonly baseUrl: string;
  /** True when it ran before this window and outlives it. */
  readonly shared: boolean;
  /** Called when the server of this window ended without being asked to; never for a shared one. */
  onLost(listener: (reason: string) => void): void;
  /** Ends the server of this window; a shared one stays. Running environments stay in any case. */
  stop(): Promise<void>;
};

/** Beside this program: built beside built, source beside source; in a package outside of the archive, because it runs as a process of its own. */
function serverProgram(): string {
  const built = unpacked(fileURLToPath(new URL('../server/main.mjs', import.meta.url)));
  return existsSync(built) ? built : fileURLToPath(new URL('../server/main.ts', import.meta.url));
}

/**
 * Starts the server as plain Node inside Electron's own program, or finds the one that already runs with this home.
 *
 * A process of its own keeps the window responsive and makes the desktop app run exactly what browser mode runs. It passes
 * ELECTRON_RUN_AS_NODE on, so infra-agent starts the same way. `secretKey` seals what people let Vessel remember. Throws SERVER_START_FAILED with its last lines.
 */
export async function startServer(options: { readonly port: number | null; readonly home: string; readonly secretKey: Buffer | null; readonly log: (line: string) => void }): Promise<RunningServer> {
  const program = serverProgram();
  if (!existsSync(program)) throw new VesselError('SERVER_START_FAILED', `The server program is missing: ${program}`, { hint: 'Build it first: `npm run build`.' });
  const args = [program, '--json', '--no-open', ...(options.port === null ? [] : ['--port', String(options.port)]), ...(options.secretKey === null ? [] : ['--secret-key-stdin'])];
  const child = spawn(process.execPath, args, { env: { ...process.env, ELECTRON_RUN_AS_NODE: '1', VESSEL_HOME: options.home }, stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true });
  child.stdin.on('error', () => undefined); // it ended before it read; its end says why
  // Over a pipe: arguments and the environment of a process can be read by others of the same account, and land in listings.
  child.stdin.end(options.secretKey === null ? '' : `${options.secretKey.toString('hex')}\n`);
  const tail: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    tail.push(line);
    if (tail.length > LOG_TAIL_LINES) tail.shift();
    options.log(line);
  });
  const ready = await readiness(child, tail);
  let stopping = false;
  return {
    url: ready.url,
    baseUrl: ready.baseUrl,
    shared: ready.already,
    onLost(listener) {
      if (ready.already) return;
      child.once('close', (code, signal) => { if (!stopping) listener(`The server ended with ${signal ?? `code ${code ?? '?'}`}. ${tail.at(-1) ?? ''}`.trim()); });
    },
    async stop() {
      stopping = true;
      if (ready.already || child.exitCode !== null || child.signalCode !== null) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
        child.once('close', () => { clearTimeout(timer); resolve(); });
        child.kill('SIGTERM');
      });
    },
  };
}

function readiness(child: ChildProcess & { readonly stdout: NodeJS.ReadableStream }, tail: readonly string[]): Promise<z.output<typeof ReadySchema>> {
  const failed = (message: string): VesselError => new VesselError('SERVER_START_FAILED', message, { logTail: tail });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(failed('It did not answer in time'));
    }, READY_DEADLINE_MS);
    const settle = (act: () => void): void => { clearTimeout(timer); act(); };
    createInterface({ input: child.stdout }).once('line', (line) => settle(() => {
      const parsed = ReadySchema.safeParse(jsonOf(line));
      if (parsed.success) resolve(parsed.data);
      else reject(failed('Its first line is not what was agreed'));
    }));
    child.once('error', (error) => settle(() => reject(failed(error.message))));
    child.once('close', (code) => settle(() => reject(failed(`It ended with code ${code ?? '?'}. ${tail.at(-1) ?? ''}`.trim()))));
  });
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null; // the schema refuses it
  }
}
