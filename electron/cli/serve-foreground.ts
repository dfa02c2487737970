import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { VesselError } from '#shared/errors.ts';
import { connectToRunning } from './connection.ts';
import type { Context } from './context.ts';
import { exitCodeOfSignal } from './exit-codes.ts';
import { serverProcess } from './start-server.ts';

/** Runs the server in this terminal until it ends; returns its exit code. Throws ALREADY_RUNNING when this home has one. */
export async function serveInForeground(context: Context, port: number | undefined): Promise<number> {
  const { runtime, session, output } = context;
  const running = await connectToRunning(session.home);
  if (running !== null) {
    running.close();
    throw new VesselError('ALREADY_RUNNING', undefined, { details: { home: session.home, pid: running.server.pid } });
  }
  mkdirSync(session.home, { recursive: true, mode: 0o700 });
  const { command, args, env } = serverProcess(runtime, session.home, port);
  // stdout stays ours with --json; otherwise what the server says is the output.
  const child = spawn(command, args, { cwd: session.home, env, stdio: ['ignore', output.json ? 2 : 1, 2] });
  const offs = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((signal) => runtime.onSignal(signal, () => { child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal); }));
  try {
    const end = await new Promise<{ readonly code: number | null; readonly signal: string | null }>((resolve, reject) => {
      child.once('error', (cause) => reject(new VesselError('SERVER_START_FAILED', cause.message, { cause })));
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    if (output.json) output.result({ ended: true, ...end }, () => '');
    return end.signal === null ? end.code ?? 1 : exitCodeOfSignal(end.signal);
  } finally {
    for (const off of offs) off();
  }
}
