import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import type { Client, StreamItem } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { Operation } from '#shared/operation.ts';
import { serverFilePath } from '#shared/paths.ts';
import { ServerFileSchema, type ServerFile } from '#shared/server-file.ts';
import type { Channel } from '#shared/wire.ts';
import { createWireClient } from '#shared/wire-client.ts';

/** The built server, as `npm start` runs it. */
const SERVER = fileURLToPath(new URL('../../out/server/main.mjs', import.meta.url));
const CLI = fileURLToPath(new URL('../../out/cli/main.mjs', import.meta.url));
/** Starting Vessel means opening a database and a port: a second in emulation, ten when the machine is busy. */
const START_DEADLINE_MS = 60_000;

export type VesselOptions = {
  /** A home of an earlier run; a new one in the temporary folder otherwise. */
  readonly home?: string;
  readonly driver?: 'qemu' | 'process';
  /** That of an earlier run, for pages which are still open; a free one otherwise. */
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
};

export type RunningVessel = {
  readonly home: string;
  readonly pid: number;
  readonly file: ServerFile;
  readonly env: Readonly<Record<string, string>>;
  /** The address with a ticket that a person opens. */
  readonly url: string;
  readonly client: Client;
  readonly output: () => string;
  /** Resolves when the process has ended, with its exit code or signal. */
  readonly ended: Promise<number | string>;
  kill9(): Promise<void>;
  stop(): Promise<void>;
};

/** A home that the unprivileged hypervisor user can pass through. */
export async function makeHome(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'vsl-'));
  await chmod(home, 0o711);
  return home;
}

/** Starts the built server on a free port with a home of its own, and connects. Throws with the server's output when it does not come up. */
export async function startVessel(options: VesselOptions = {}): Promise<RunningVessel> {
  const home = options.home ?? await makeHome();
  const driver = options.driver ?? 'qemu';
  const env = {
    ...process.env as Record<string, string>,
    VESSEL_HOME: home,
    ...(driver === 'process' ? { VESSEL_DRIVER: 'process', VESSEL_UNSAFE_PROCESS_DRIVER: '1' } : {}),
    ...options.env,
  };
  const child = spawn(process.execPath, [SERVER, '--json', '--no-open', '--port', String(options.port ?? 0)], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => { output += chunk.toString(); });
  child.stderr.on('data', (chunk: Buffer) => { output += chunk.toString(); });
  const ended = new Promise<number | string>((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code ?? -1)));
  const url = await firstLine(child, () => output);
  const file = ServerFileSchema.parse(JSON.parse(await readFile(serverFilePath(home), 'utf8')));
  const socket = await openSocket(file);
  return {
    home, pid: file.pid, file, env, url, client: createWireClient(socket), output: () => output, ended,
    kill9: async () => { child.kill('SIGKILL'); await ended; },
    stop: async () => { socket.close(); child.kill('SIGTERM'); await ended; },
  };
}

async function firstLine(child: ChildProcess, output: () => string): Promise<string> {
  const deadline = Date.now() + START_DEADLINE_MS;
  while (Date.now() < deadline) {
    const line = output().split('\n').find((candidate) => candidate.startsWith('{"') && candidate.endsWith('}'));
    if (line !== undefined) return (JSON.parse(line) as { readonly url: string }).url;
    if (child.exitCode !== null || child.signalCode !== null) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill('SIGKILL');
  throw new Error(`Vessel did not start:\n${output()}`);
}

/** The WebSocket of a script: bearer secret, no Origin. */
export async function openSocket(file: ServerFile): Promise<Channel> {
  const socket = new WebSocket(`ws://127.0.0.1:${file.port}/api/socket`, { headers: { authorization: `Bearer ${file.secret}` } });
  await new Promise<void>((resolve, reject) => { socket.once('open', () => resolve()); socket.once('error', reject); });
  let closed = false;
  socket.on('error', () => socket.terminate());
  socket.on('close', () => { closed = true; });
  return {
    send: (text) => { if (!closed) socket.send(text); },
    onMessage: (listener) => socket.on('message', (data) => listener((data as Buffer).toString())),
    onClose: (listener) => { if (closed) listener(); else socket.once('close', listener); },
    drained: () => Promise.resolve(),
    close: () => socket.close(),
  };
}

export type FinishedOperation = { readonly operation: Operation; readonly log: readonly string[] };

/** Follows an operation to its end. Throws its error as a VesselError unless `allowFailure`. */
export async function finish(client: Client, operationId: string, options: { readonly allowFailure?: boolean; readonly onEvent?: (event: StreamItem<'operations.watch'>) => void } = {}): Promise<FinishedOperation> {
  const log: string[] = [];
  let operation: Operation | null = null;
  for await (const event of client.stream('operations.watch', { operationId })) {
    options.onEvent?.(event);
    if (event.kind === 'log') log.push(event.line.text);
    else operation = event.operation;
  }
  if (operation === null) throw new Error(`operation ${operationId} ended without a word`);
  if (options.allowFailure !== true && operation.error !== null) throw VesselError.fromShape(operation.error);
  return { operation, log };
}

export type CliResult = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** Runs the built CLI against a home and collects what it says. */
export async function vesselCli(env: Readonly<Record<string, string>>, args: readonly string[], input?: string): Promise<CliResult> {
  const child = spawn(process.execPath, [CLI, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => { stdout += chunk.toString(); });
  child.stderr.on('data', (chunk: Buffer) => { stderr += chunk.toString(); });
  child.stdin.end(input ?? '');
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, stdout, stderr };
}

/** Processes whose command line names the given folder: nothing may be left of a stopped environment. */
export async function processesOf(path: string): Promise<readonly string[]> {
  const { readdir } = await import('node:fs/promises');
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''); // it ended while we looked
    if (commandLine.includes(path) && Number(pid) !== process.pid) found.push(`${pid} ${commandLine.replaceAll('\0', ' ')}`);
  }
  return found;
}
