import { VesselError } from '#shared/errors.ts';
import type { Runtime } from './runtime.ts';
import { printable } from './style.ts';

const ENTER = ['\r', '\n'];
const ERASE = ['\u007f', '\b'];
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';

/** Whether a person sits there who can be asked: questions are written to stderr and answered on stdin. */
export const canAsk = (runtime: Runtime): boolean => runtime.stdin.isTTY === true && runtime.stderr.isTTY === true;

/**
 * One line from the terminal; with `echo` false nothing of it is shown. Resolves to null on Ctrl-C, on Ctrl-D in an empty
 * line, and when the terminal goes away. Rejects with CANCELLED when the signal aborts: somebody else has answered.
 */
export function askLine(runtime: Runtime, label: string, echo: boolean, signal: AbortSignal): Promise<string | null> {
  const { stdin, stderr } = runtime;
  return new Promise((resolve, reject) => {
    let line = '';
    const end = (act: () => void): void => {
      stdin.off('data', onData);
      stdin.off('end', onEnd);
      signal.removeEventListener('abort', onAbort);
      stdin.setRawMode?.(false);
      stdin.pause();
      stderr.write('\n');
      act();
    };
    const onEnd = (): void => end(() => resolve(null));
    const onAbort = (): void => end(() => reject(new VesselError('CANCELLED')));
    const onData = (data: Buffer | string): void => {
      for (const character of data.toString()) {
        if (ENTER.includes(character)) { end(() => resolve(line)); return; }
        if (character === CTRL_C || (character === CTRL_D && line === '')) { end(() => resolve(null)); return; }
        if (ERASE.includes(character)) {
          if (line !== '' && echo) stderr.write('\b \b');
          line = [...line].slice(0, -1).join('');
        } else if (character >= ' ') {
          line += character;
          if (echo) stderr.write(character);
        }
      }
    };
    stderr.write(printable(label.trimEnd().endsWith(':') || label.trimEnd().endsWith('?') ? `${label.trimEnd()} ` : `${label}: `));
    if (signal.aborted) { onAbort(); return; }
    signal.addEventListener('abort', onAbort, { once: true });
    // Without raw mode the terminal would show what is typed and send Ctrl-C as a signal.
    stdin.setRawMode?.(true);
    stdin.on('data', onData);
    stdin.once('end', onEnd);
    stdin.resume();
  });
}
