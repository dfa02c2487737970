import { spawn } from 'node:child_process';
import { root } from './paths.mjs';

/**
 * Runs a program to its end. `output`: 'inherit' shows it, 'stderr' shows all of it on stderr (stdout stays clean for the
 * caller), 'capture' keeps it. Returns `{code, signal, text}`; a program that cannot be started has code 127.
 */
export function run(command, args, { output = 'inherit', env = process.env, cwd = root, timeoutMs = 0, input = 'ignore', signal = /** @type {AbortSignal | undefined} */ (undefined) } = {}) {
  return new Promise((resolve) => {
    const stdio = output === 'inherit' ? [input, 'inherit', 'inherit'] : output === 'stderr' ? [input, 2, 2] : [input, 'pipe', 'pipe'];
    const child = spawn(command, args, { cwd, env, stdio, signal, windowsHide: true });
    const chunks = [];
    child.stdout?.on('data', (chunk) => chunks.push(chunk));
    child.stderr?.on('data', (chunk) => chunks.push(chunk));
    let timedOut = false;
    const timer = timeoutMs === 0 ? undefined : setTimeout(() => { timedOut = true; child.kill('SIGKILL'); }, timeoutMs);
    const done = (code, endedBy, extra = '') => {
      clearTimeout(timer);
      resolve({ code, signal: endedBy, timedOut, text: Buffer.concat(chunks).toString('utf8') + extra });
    };
    child.on('error', (error) => {
      // An abort is an ending like any other: 'close' follows.
      if (error.name !== 'AbortError') done(127, null, `${command}: ${error.message}\n`);
    });
    child.on('close', (code, endedBy) => done(code ?? 1, endedBy));
  });
}

/** Hands this process over to another program: same stdio, signals forwarded, its exit code becomes ours. */
export function become(command, args, env = process.env) {
  const child = spawn(command, args, { stdio: 'inherit', env, windowsHide: false });
  // A terminal sends SIGINT to the whole group: the child decides when to end, we only wait for it.
  process.on('SIGINT', () => undefined);
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.on('error', (error) => { process.stderr.write(`${command}: ${error.message}\n`); resolve(127); });
    child.on('close', (code, signal) => resolve(code ?? signalCode(signal)));
  });
}

const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };
/** Shell convention: 128 + signal number. */
export const signalCode = (signal) => 128 + (SIGNAL_NUMBERS[signal] ?? 1);
