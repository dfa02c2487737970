import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { VesselError } from '#shared/errors.ts';
import { logDirectory, serverLogPath } from '#shared/paths.ts';
import { connectToRunning, type Connection } from './connection.ts';
import type { Runtime } from './runtime.ts';
import { printable } from './style.ts';
import { takeStartLock } from './start-lock.ts';

/** A server answers in well under a second; a busy two-core machine that also builds an image needs many. */
const READY_DEADLINE_MS = 60_000;
const POLL_MS = 40;
const LAST_LOOK_MS = 500;
/** The log is append-only; beyond this the old one steps aside once. */
const LOG_ROTATE_BYTES = 5_000_000;
const LOG_TAIL_LINES = 20;

/** Connects to the Vessel of this home and starts one in the background when none runs; two callers start one. */
export async function connectOrStart(runtime: Runtime, home: string, port?: number): Promise<{ readonly connection: Connection; readonly started: boolean }> {
  const running = await connectToRunning(home);
  if (running !== null) return { connection: running, started: false };
  using _lock = await takeStartLock(home, READY_DEADLINE_MS);
  const meanwhile = await connectToRunning(home);
  if (meanwhile !== null) return { connection: meanwhile, started: false };
  return { connection: await startInBackground(runtime, home, port), started: true };
}

/** Arguments and environment of a server process for this home. */
export function serverProcess(runtime: Runtime, home: string, port: number | undefined): { readonly command: string; readonly args: readonly string[]; readonly env: NodeJS.ProcessEnv } {
  const [command, ...leading] = runtime.serverCommand;
  const cache = runtime.env['VESSEL_CACHE'];
  return {
    command,
    args: [...leading, '--no-open', ...(port === undefined ? [] : ['--port', String(port)])],
    // The server works in another folder: relative ones would move.
    env: { VESSEL_PREPARE: '1', ...runtime.env, VESSEL_HOME: home, ...(cache === undefined || cache === '' ? {} : { VESSEL_CACHE: resolve(runtime.cwd, cache) }) },
  };
}

async function startInBackground(runtime: Runtime, home: string, port: number | undefined): Promise<Connection> {
  const missing = runtime.serverCommand.slice(1).find((part) => !existsSync(part));
  if (missing !== undefined) throw new VesselError('SERVER_START_FAILED', `The server program is missing: ${missing}`, { hint: 'Build it first: `npm run build`.' });
  const log = openLog(home);
  const { command, args, env } = serverProcess(runtime, home, port);
  const child = spawn(command, args, { detached: true, cwd: home, env, stdio: ['ignore', log.fd, log.fd] });
  closeSync(log.fd);
  const ended = endOf(child);
  child.unref();
  const deadline = Date.now() + READY_DEADLINE_MS;
  while (Date.now() < deadline) {
    const connection = await connectToRunning(home);
    if (connection !== null) {
      if (connection.server.movedFrom !== null) runtime.stderr.write(`${movedText(connection.server.movedFrom, connection.server.baseUrl)}\n`);
      return connection;
    }
    const end = ended();
    if (end !== null) {
      // A server that found another one of this home ends too; that one may still be on its way.
      await sleep(LAST_LOOK_MS);
      const other = await connectToRunning(home);
      if (other !== null) return other;
      throw startFailed(`It ended at once (${end})`, home, log.from);
    }
    await sleep(POLL_MS);
  }
  child.kill('SIGTERM');
  throw startFailed(`It was not ready within ${READY_DEADLINE_MS / 1000} s`, home, log.from);
}

/** Once, by the command that started Vessel: what a person has open looks at the old port. */
const movedText = (from: number, baseUrl: string): string =>
  `Another program has port ${from}, where Vessel answered before. Vessel answers at ${baseUrl} now; open it there with \`vessel url\`, and close the tabs with the old address.`;

/** How the child ended, in words; null while it lives. */
function endOf(child: ChildProcess): () => string | null {
  let end: string | null = null;
  child.once('error', (error) => { end = error.message; });
  child.once('exit', (code, signal) => { end = signal ?? `exit code ${code ?? 'unknown'}`; });
  return () => end;
}

function openLog(home: string): { readonly fd: number; readonly from: number } {
  mkdirSync(logDirectory(home), { recursive: true, mode: 0o700 });
  const path = serverLogPath(home);
  const size = existsSync(path) ? statSync(path).size : 0;
  const rotate = size > LOG_ROTATE_BYTES;
  if (rotate) renameSync(path, `${path}.1`);
  return { fd: openSync(path, 'a', 0o600), from: rotate ? 0 : size };
}

function startFailed(why: string, home: string, from: number): VesselError {
  const text = readFileSync(serverLogPath(home)).subarray(from).toString('utf8');
  const logTail = text.split('\n').filter((line) => line.trim() !== '').slice(-LOG_TAIL_LINES).map(printable);
  return new VesselError('SERVER_START_FAILED', `Vessel did not start. ${why}.`, { logTail, details: { log: serverLogPath(home) } });
}
