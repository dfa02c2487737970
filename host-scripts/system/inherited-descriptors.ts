import { closeSync, readFileSync, readdirSync } from 'node:fs';
import { errnoOf } from './errno.ts';

const FIRST_OF_OTHERS = 3;
/** `O_CLOEXEC` in octal, as `/proc/self/fdinfo` shows it (proc(5)); the same number on every architecture of ours. */
const CLOSE_ON_EXEC = 0o2000000;

/**
 * Closes every descriptor that this process inherited besides input, output and errors, and that its children would inherit. A shell,
 * a terminal or a service manager may hold anything open, and machines would keep it for as long as they live. Node marks its own
 * descriptors and the first sixteen inherited ones; the rest must go before anything else is opened.
 */
export function closeInheritedDescriptors(): readonly number[] {
  const closed: number[] = [];
  for (const name of readdirSync('/proc/self/fd')) {
    const descriptor = Number(name);
    if (descriptor < FIRST_OF_OTHERS) continue;
    try {
      const flags = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'utf8'))?.[1] ?? '0';
      if ((Number.parseInt(flags, 8) & CLOSE_ON_EXEC) !== 0) continue;
      closeSync(descriptor);
      closed.push(descriptor);
    } catch (error) {
      // The one that listed the folder is closed by now.
      if (!['ENOENT', 'EBADF'].includes(errnoOf(error) ?? '')) throw error;
    }
  }
  return closed;
}
