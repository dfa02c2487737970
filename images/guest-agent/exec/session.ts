import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { RawData, WebSocket } from 'ws';
import type { ExecClientMessage, ExecServerMessage } from '#shared/guest-protocol.ts';
import { VesselError } from '#shared/vessel-error.ts';
import type { AgentConfig } from '../config.ts';
import type { GuestEnvironment } from '../guest/environment.ts';
import type { MemoryWatch } from '../guest/memory-watch.ts';
import { findProgram } from './find-program.ts';
import { parseExecMessage } from './messages.ts';
import { runWithPipes } from './pipes.ts';
import type { CommandEvents, CommandRequest, RunningCommand } from './running.ts';
import { runInTerminal } from './terminal.ts';

/** The frame numbers of the protocol, typed by it but copied: importing the value would bundle zod. */
const FRAME: typeof import('#shared/guest-protocol.ts').EXEC_FRAME = { stdin: 0, stdout: 1, stderr: 2 };
/** Output waiting for a slow client; beyond it the command is paused. */
const MAX_BUFFERED_BYTES = 1024 * 1024;
/** 128 and the number of SIGKILL. */
const KILLED_CODE = 137;
/** After a hang-up, how long a command may clean up before it is killed. */
const KILL_AFTER_MS = 3000;

export type ExecSessionOptions = {
  readonly config: AgentConfig;
  readonly environment: GuestEnvironment;
  readonly memory: MemoryWatch;
  /** Called when the command starts, at each input, and when it ends. */
  readonly onActivity: (event: 'start' | 'input' | 'end', terminal: boolean) => void;
};

function toRequest(start: Extract<ExecClientMessage, { type: 'start' }>, { config, environment }: ExecSessionOptions): CommandRequest {
  const cwd = resolve(config.workspace, start.cwd);
  try {
    if (!statSync(cwd).isDirectory()) throw new VesselError('EXEC_FAILED', `${cwd} is not a folder`);
  } catch (error) {
    throw error instanceof VesselError ? error : new VesselError('EXEC_FAILED', `there is no folder ${cwd}`, { cause: error });
  }
  const env = environment.variables({ PWD: cwd, ...start.env });
  const name = start.argv[0] ?? '';
  const program = findProgram(name, cwd, env['PATH'] ?? '');
  if (program === null) throw new VesselError('EXEC_FAILED', `${name}: command not found`, { details: { command: name } });
  return { program, argv: start.argv, cwd, env, credentials: environment.credentials() };
}

/** Serves one exec WebSocket from its `start` message to the exit of the command. */
export function serveExec(socket: WebSocket, options: ExecSessionOptions): void {
  let command: RunningCommand | null = null;
  let started = false;
  let exited = false;
  let terminal = false;
  let inputEnded = false;
  const killsBefore = options.memory.count;
  const early: Buffer[] = [];
  const send = (message: ExecServerMessage): void => socket.send(JSON.stringify(message));

  const events: CommandEvents = {
    onOutput(stream, data) {
      if (socket.readyState !== socket.OPEN) return;
      socket.send(Buffer.concat([Buffer.of(FRAME[stream]), data]), { binary: true }, () => {
        if (socket.bufferedAmount < MAX_BUFFERED_BYTES / 2) command?.resume();
      });
      if (socket.bufferedAmount > MAX_BUFFERED_BYTES) command?.pause();
    },
    onDrain: () => socket.resume(),
    onExit(code, signal) {
      exited = true;
      options.onActivity('end', terminal);
      if (socket.readyState !== socket.OPEN) return;
      // A shell reports a child's SIGKILL as an exit code.
      const why = signal === 'SIGKILL' || code === KILLED_CODE ? options.memory.reasonSince(killsBefore) : null;
      if (why !== null) events.onOutput(terminal ? 'stdout' : 'stderr', Buffer.from(`vessel: ${why}${terminal ? '\r' : ''}\n`));
      send({ type: 'exit', code, signal });
      socket.close(1000);
    },
  };

  const fail = (error: unknown): void => {
    if (socket.readyState !== socket.OPEN) return;
    send({ type: 'error', error: VesselError.from(error).toShape() });
    socket.close(1000);
  };

  const hangUp = (): void => {
    if (command === null || exited) return;
    const ending = command;
    ending.resume();
    ending.signal('SIGHUP');
    setTimeout(() => ending.signal('SIGKILL'), KILL_AFTER_MS).unref();
  };

  const write = (data: Buffer): void => {
    if (command === null) early.push(data);
    else if (!command.write(data)) socket.pause();
  };

  const endInput = (): void => {
    if (command === null) return;
    command.endInput();
    // A pipe that is being closed tells no more of when it is drained: the line would stay paused, and its closing unread.
    socket.resume();
  };

  const start = async (message: Extract<ExecClientMessage, { type: 'start' }>): Promise<void> => {
    const request = toRequest(message, options);
    terminal = message.pty !== null;
    command = message.pty === null ? await runWithPipes(request, events) : runInTerminal(options.config.nodePty, message.pty, request, events);
    options.onActivity('start', terminal);
    if (socket.readyState !== socket.OPEN) return hangUp();
    send({ type: 'started', pid: command.pid });
    for (const data of early.splice(0)) write(data);
    if (inputEnded) endInput();
  };

  const onMessage = (data: RawData, isBinary: boolean): void => {
    if (isBinary) {
      const frame = data as Buffer;
      if (frame[0] !== FRAME.stdin) throw new VesselError('BAD_REQUEST', 'exec: a binary frame must begin with 0');
      options.onActivity('input', terminal);
      write(frame.subarray(1));
      return;
    }
    const message = parseExecMessage((data as Buffer).toString('utf8'));
    switch (message.type) {
      case 'start':
        if (started) throw new VesselError('BAD_REQUEST', 'exec: started already');
        started = true;
        start(message).catch(fail);
        return;
      case 'signal':
        command?.signal(message.signal as NodeJS.Signals);
        return;
      case 'resize':
        command?.resize(message.cols, message.rows);
        return;
      case 'stdin-end':
        inputEnded = true;
        endInput();
        return;
      default:
        message satisfies never;
    }
  };

  socket.on('message', (data, isBinary) => {
    try {
      onMessage(data, isBinary);
    } catch (error) {
      fail(error);
    }
  });
  socket.on('close', hangUp);
  socket.on('error', hangUp);
}
