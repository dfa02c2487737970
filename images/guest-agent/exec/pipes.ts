import { spawn } from 'node:child_process';
import { VesselError } from '#shared/vessel-error.ts';
import { MEMORY_SCORES, withScore } from '../guest/memory-scores.ts';
import { signalGroup } from '../ide/process.ts';
import type { CommandEvents, CommandRequest, RunningCommand } from './running.ts';

/** A command may leave a server behind that holds its output open: wait this long for the rest, then report the exit. */
const OUTPUT_GRACE_MS = 500;

/** Starts a command with three pipes in a process group of its own. Rejects with EXEC_FAILED. */
export function runWithPipes(request: CommandRequest, events: CommandEvents): Promise<RunningCommand> {
  return new Promise((resolve, reject) => {
    const child = withScore(MEMORY_SCORES.user, () => spawn(request.program, request.argv.slice(1), {
      argv0: request.argv[0] ?? request.program, cwd: request.cwd, env: request.env, detached: true, stdio: ['pipe', 'pipe', 'pipe'], ...request.credentials,
    }));
    child.once('error', (error) => reject(new VesselError('EXEC_FAILED', `${request.argv[0]}: ${error.message}`, { cause: error })));
    child.once('spawn', () => {
      const pid = child.pid ?? 0;
      child.stdout.on('data', (data: Buffer) => events.onOutput('stdout', data));
      child.stderr.on('data', (data: Buffer) => events.onOutput('stderr', data));
      child.stdin.on('drain', () => events.onDrain());
      // The command closed its input early (EPIPE), as `head` does: what is left has no reader.
      child.stdin.on('error', () => events.onDrain());
      let reported = false;
      const report = (code: number | null, signal: string | null): void => {
        if (reported) return;
        reported = true;
        events.onExit(code, signal);
      };
      child.once('exit', (code, signal) => {
        const grace = setTimeout(() => {
          // While the client reads slowly the output is paused and not lost: only an idle pipe is given up.
          if (child.stdout.isPaused() || child.stdout.readableLength > 0) grace.refresh();
          else report(code, signal);
        }, OUTPUT_GRACE_MS);
        child.once('close', () => {
          clearTimeout(grace);
          report(code, signal);
        });
      });
      resolve({
        pid,
        write: (data) => !child.stdin.writable || child.stdin.write(data),
        endInput: () => { child.stdin.end(); },
        signal: (name) => signalGroup(pid, name),
        resize: () => undefined,
        pause: () => { child.stdout.pause(); child.stderr.pause(); },
        resume: () => { child.stdout.resume(); child.stderr.resume(); },
      });
    });
  });
}
