import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import type { Client } from 'ssh2';
import { VesselError } from '#shared/errors.ts';
import { openExec } from './exec.ts';

/** Start-up files that ask a question or sleep would otherwise hang every command. */
const SHELL_DEADLINE_MS = 20_000;
const SHOWN_CHARACTERS = 400;

/**
 * Runs one harmless command and compares its output: start-up files that print something would be read as part of every
 * answer, and as damage of every stream. Throws SHELL_JUNK with what was printed, EXEC_FAILED when no command runs at all.
 */
export async function checkShell(client: Client): Promise<void> {
  const mark = `vessel-${randomBytes(8).toString('hex')}`;
  const process = await openExec(client, ['printf', '%s', mark]);
  process.stdin.end();
  let late = false;
  const timer = setTimeout(() => { late = true; process.close(); }, SHELL_DEADLINE_MS);
  try {
    const [out, err, { code }] = await Promise.all([text(process.stdout), text(process.stderr), process.exit]);
    if (out === mark) return;
    const junk = out.replace(mark, '').trim().slice(0, SHOWN_CHARACTERS);
    if (out.includes(mark)) throw new VesselError('SHELL_JUNK', `The login shell prints "${junk.split('\n')[0] ?? ''}" into the output of commands`, { details: { printed: junk } });
    throw new VesselError('EXEC_FAILED', `The login shell of the host runs no commands (exit code ${code}): ${`${junk}\n${err.trim()}`.trim().slice(0, SHOWN_CHARACTERS)}`, { hint: 'Give this user a POSIX shell (`chsh -s /bin/sh`) and remove a ForceCommand for it.', details: { code, printed: junk } });
  } catch (error) {
    if (late) throw new VesselError('TIMEOUT', 'The login shell of the host did not run a command in time', { cause: error, hint: 'Let its start-up files ask and wait for nothing when they are not interactive.' });
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
