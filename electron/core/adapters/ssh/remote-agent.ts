import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import { VesselError } from '#shared/errors.ts';
import type { RemoteHost, RemoteProcess } from '../../ports/remote-host.ts';
import type { AgentTransport } from '../agent-link/agent-talk.ts';
import type { RootCommand } from './host-setup/root-access.ts';

/**
 * An agent that heard nothing for so long leaves. When a line goes silent (a lid closed, a network changed), neither sshd nor the agent behind it is told: it
 * would stay for hours beside the one that the next connection starts.
 */
const LEASE_S = 90;
const SIGNS_A_LEASE = 4;

/**
 * Starts `infra-agent serve` on the host. What is written before the channel is open waits for it. `command` gives program
 * and arguments up to the verb and what it has to read first (sudo's password), asked anew for each start: provisioning may have put another version there.
 */
export function startRemoteAgent(host: RemoteHost, command: () => Promise<RootCommand>): AgentTransport {
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const gone = new AbortController();
  const given = new Promise<never>((_resolve, reject) => { gone.signal.addEventListener('abort', () => reject(new VesselError('CANCELLED')), { once: true }); });
  given.catch(() => undefined); // nobody may be waiting any more
  let process: RemoteProcess | null = null;
  const run = async (): Promise<VesselError> => {
    // Whoever ends it need not wait for a command that is still being found out: that may be waiting for this end.
    const { argv, preamble } = await Promise.race([command(), given]);
    process = await host.exec([...argv, 'serve', '--lease', String(LEASE_S)], { signal: gone.signal });
    if (preamble !== '') process.stdin.write(preamble);
    stdin.pipe(process.stdin);
    const { stdin: toAgent } = process;
    const alive = setInterval(() => { if (toAgent.writable) toAgent.write('\n'); }, LEASE_S * 1000 / SIGNS_A_LEASE).unref();
    process.stdout.pipe(stdout);
    process.stderr.pipe(stderr);
    // Its last words are part of the reason.
    const read = Promise.allSettled([finished(process.stdout), finished(process.stderr)]);
    const { code, signal } = await process.exit.finally(() => clearInterval(alive));
    await read;
    return new VesselError('AGENT_LOST', `infra-agent ended (${signal ?? `exit code ${code}`})`, { details: { code, signal } });
  };
  // A broken line is a reason like any other: the agent ends with its channel, and is started again on the next connection.
  const ended = run().catch((error: unknown) => VesselError.from(error));
  return { stdin, stdout, stderr, pid: undefined, ended, kill: () => { gone.abort(); process?.close(); } };
}
