import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { VesselError } from '#shared/vessel-error.ts';
import { MEMORY_SCORES, withScore } from '../guest/memory-scores.ts';
import { signalGroup } from '../ide/process.ts';
import { messageOf } from '../log.ts';
import type { CommandEvents, CommandRequest, RunningCommand } from './running.ts';

/** The part of node-pty that is used; the module is the one the IDE ships. */
type NodePty = {
  spawn(file: string, args: readonly string[], options: Record<string, unknown>): {
    readonly pid: number;
    onData(listener: (data: Buffer | string) => void): unknown;
    onExit(listener: (event: { readonly exitCode: number; readonly signal?: number }) => void): unknown;
    write(data: Buffer | string): void;
    resize(cols: number, rows: number): void;
    pause(): void;
    resume(): void;
  };
};

const END_OF_TRANSMISSION = Buffer.from([4]);
let loaded: { readonly path: string; readonly module: NodePty } | null = null;

function load(path: string): NodePty {
  if (loaded?.path !== path) {
    try {
      loaded = { path, module: createRequire(import.meta.url)(path) as NodePty };
    } catch (error) {
      throw new VesselError('EXEC_FAILED', `terminals are not available: ${messageOf(error)}`, { cause: error });
    }
  }
  return loaded.module;
}

const signalName = (number: number | undefined): string | null =>
  number === undefined || number === 0 ? null : (Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? null);

/** Starts a command on a terminal of its own (it leads the session). Throws EXEC_FAILED. */
export function runInTerminal(nodePty: string | null, size: { readonly cols: number; readonly rows: number }, request: CommandRequest, events: CommandEvents): RunningCommand {
  if (nodePty === null) throw new VesselError('EXEC_FAILED', 'this guest has no terminal support');
  const pty = load(nodePty);
  const terminal = withScore(MEMORY_SCORES.user, () => pty.spawn(request.program, request.argv.slice(1), {
    name: 'xterm-256color', cols: size.cols, rows: size.rows, cwd: request.cwd, env: { TERM: 'xterm-256color', COLORTERM: 'truecolor', ...request.env }, encoding: null, ...request.credentials,
  }));
  terminal.onData((data) => events.onOutput('stdout', typeof data === 'string' ? Buffer.from(data) : data));
  terminal.onExit(({ exitCode, signal }) => {
    const name = signalName(signal);
    events.onExit(name === null ? exitCode : null, name);
  });
  return {
    pid: terminal.pid,
    write: (data) => { terminal.write(data); return true; },
    endInput: () => terminal.write(END_OF_TRANSMISSION),
    signal: (name) => signalGroup(terminal.pid, name),
    resize: (cols, rows) => terminal.resize(cols, rows),
    pause: () => terminal.pause(),
    resume: () => terminal.resume(),
  };
}
