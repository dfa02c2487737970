import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';

type Environment = Readonly<Record<string, string | undefined>>;

/** The shell that ssh(1) gives commands of the configuration to. */
export const shellOf = (env: Environment): string => {
  const shell = env['SHELL'];
  return shell === undefined || shell === '' ? '/bin/sh' : shell;
};

/** Starts a command of the person's own configuration, in a process group of its own, so that all of it can be ended. */
export function spawnShell(shell: string, command: string, stdio: StdioOptions, env: Environment): ChildProcess {
  return process.platform === 'win32' ? spawn(command, { shell: true, stdio, env, windowsHide: true }) : spawn(shell, ['-c', command], { stdio, env, detached: true });
}

/** Signals a command with everything that it started. */
export function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(process.platform === 'win32' ? child.pid : -child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it has just ended by itself
  }
}
