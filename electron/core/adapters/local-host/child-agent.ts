import { spawn } from 'node:child_process';
import { VesselError } from '#shared/errors.ts';
import type { AgentTransport } from '../agent-link/agent-talk.ts';

/** Starts `infra-agent serve` as a child process. `command` is program and arguments up to the verb, e.g. `[node, 'infra-agent.mjs']`. */
export function startChildAgent(command: readonly string[], env: Readonly<Record<string, string>>): AgentTransport {
  const [program, ...args] = command;
  if (program === undefined) throw new VesselError('INTERNAL', 'No command for infra-agent');
  // A process group of its own: Ctrl-C in the terminal that runs Vessel must not end the agent before Vessel has closed it.
  const child = spawn(program, [...args, 'serve'], { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env }, detached: process.platform !== 'win32', windowsHide: true });
  const ended = new Promise<VesselError>((resolve) => {
    child.on('error', (error) => resolve(new VesselError('HOST_UNREACHABLE', `infra-agent could not be started: ${error.message}`, { cause: error })));
    child.on('close', (code, signal) => resolve(new VesselError('AGENT_LOST', `infra-agent ended (${signal ?? `exit code ${code}`})`, { details: { code, signal } })));
  });
  return { stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, pid: child.pid, ended, kill: () => { child.kill('SIGKILL'); } };
}
