import { EventEmitter } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Project } from '#shared/project.ts';
import { runVessel } from '../run.ts';
import type { ForwardedSignal, Runtime } from '../runtime.ts';

export type Ran = { readonly code: number; readonly out: string; readonly err: string; readonly json: Record<string, unknown> };
export type TestTerminal = {
  readonly runtime: Runtime;
  readonly stdin: PassThrough & { isTTY?: boolean; setRawMode?: (raw: boolean) => void };
  readonly rawModes: boolean[];
  out(): string;
  err(): string;
  signal(name: ForwardedSignal): void;
};

/** A process that exists only in memory. */
export function testTerminal(home: string, options: { readonly tty?: boolean; readonly env?: Readonly<Record<string, string>>; readonly serverEntry?: string } = {}): TestTerminal {
  const signals = new EventEmitter();
  const rawModes: boolean[] = [];
  const collect = (): { readonly stream: Writable; readonly text: () => string } => {
    const chunks: Buffer[] = [];
    const stream = new Writable({ write: (chunk: Buffer, _encoding, done) => { chunks.push(Buffer.from(chunk)); done(); } });
    return { stream, text: () => Buffer.concat(chunks).toString('utf8') };
  };
  const tty = options.tty === true;
  const stdout = collect();
  const stderr = collect();
  const stdin = Object.assign(new PassThrough(), tty ? { isTTY: true, setRawMode: (raw: boolean) => { rawModes.push(raw); } } : {});
  const screen = tty ? { isTTY: true, columns: 100, rows: 30 } : {};
  const entry = options.serverEntry ?? fileURLToPath(new URL('fake-server-main.ts', import.meta.url));
  return {
    stdin, rawModes, out: stdout.text, err: stderr.text,
    signal: (name) => { signals.emit(name); },
    runtime: {
      env: { PATH: process.env['PATH'], VESSEL_HOME: home, ...options.env }, cwd: home, homeDirectory: home, platform: 'linux', version: '0.0.0-test',
      stdin, stdout: Object.assign(stdout.stream, screen), stderr: Object.assign(stderr.stream, screen),
      serverCommand: [process.execPath, entry],
      now: () => Date.now(),
      onSignal: (name, listener) => {
        signals.on(name, listener);
        return () => signals.off(name, listener);
      },
    },
  };
}

/** Runs one command line to its end, with nothing on stdin. */
export async function runIn(home: string, ...argv: string[]): Promise<Ran> {
  const terminal = testTerminal(home);
  terminal.stdin.end();
  const code = await runVessel(argv, terminal.runtime);
  return {
    code, out: terminal.out(), err: terminal.err(),
    get json() { return JSON.parse(terminal.out()) as Record<string, unknown>; },
  };
}

/** A project as core would give it; running unless told otherwise. */
export function someProject(id: string, name: string, change: Partial<Project> = {}): Project {
  return {
    id, name, template: 'node', hostId: 'local', createdAt: 1, updatedAt: 1, lastOpenedAt: null, deletedAt: null,
    settings: { tier: 'medium', autosaveMinutes: 5, idleMinutes: 30, exclude: { preset: 'safe', rules: [] } },
    head: { projectId: id, rev: 3, parentRev: 2, sha256: 'ab'.repeat(32), bytes: 1_234_567, files: 128, contentBytes: 4_000_000, reason: 'save', createdAt: 1, verifiedAt: 1, leftOut: [] },
    environment: { projectId: id, hostId: 'local', state: 'running', since: 1, startedAt: 1, lastActivityAt: null, dirty: false, baseRev: 3, startKind: 'clone', error: null },
    activeOperationId: null, ...change,
  };
}
