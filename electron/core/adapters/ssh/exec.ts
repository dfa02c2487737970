import type { Client, ClientChannel } from 'ssh2';
import { VesselError } from '#shared/errors.ts';
import type { RemoteExit, RemoteProcess } from '../../ports/remote-host.ts';
import { refusalOf } from './forward.ts';
import { quoteCommand } from './quote.ts';

/** Starts a command. Throws SSH_SESSIONS_EXHAUSTED when the server refuses one more session, SSH_CONNECTION_LOST, EXEC_FAILED. */
export function openExec(client: Client, argv: readonly string[]): Promise<RemoteProcess> {
  const command = quoteCommand(argv);
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(execError(error));
    try {
      client.exec(command, (error, channel) => { if (error == null) resolve(processOf(channel)); else fail(error); });
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)));
    }
  });
}

function processOf(channel: ClientChannel): RemoteProcess {
  let ended: RemoteExit | null = null;
  let giveUp: () => void = () => undefined;
  const exit = new Promise<RemoteExit>((resolve, reject) => {
    giveUp = () => reject(new VesselError('CANCELLED', 'The command was given up'));
    channel.on('exit', (code: number | null, signal?: string) => { ended = { code, signal: signal ?? null }; });
    channel.on('close', () => {
      if (ended !== null) resolve(ended);
      else reject(new VesselError('SSH_CONNECTION_LOST', 'The connection broke before the command ended'));
    });
  });
  // Its failure is for whoever awaits it; a caller that only reads the output may leave it alone.
  exit.catch(() => undefined);
  // A write after the end of the command fails here; `exit` tells what happened.
  channel.on('error', () => undefined);
  return {
    stdin: channel, stdout: channel, stderr: channel.stderr, exit,
    signal: (name) => { if (ended === null && channel.writable) channel.signal(name.replace(/^SIG/, '')); },
    // The server confirms a closed channel only when the command has ended, which may be never: nobody here waits for that.
    close: () => { channel.resume(); channel.stderr.resume(); channel.close(); giveUp(); },
  };
}

function execError(error: Error): VesselError {
  if (refusalOf(error) !== null) return new VesselError('SSH_SESSIONS_EXHAUSTED', `The server refuses one more session: ${error.message}`, { cause: error });
  if (/unable to exec/i.test(error.message)) return new VesselError('EXEC_FAILED', 'The server runs no commands for this user', { cause: error });
  return new VesselError('SSH_CONNECTION_LOST', `No session: ${error.message}`, { cause: error });
}
