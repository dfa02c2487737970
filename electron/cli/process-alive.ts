import { readFileSync } from 'node:fs';

/** Whether a process of this id runs, also when it belongs to someone else. One that was killed and waits for its parent to notice (a zombie) does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return !hasEnded(pid);
}

/** Linux tells; elsewhere false. The state follows the name, which may hold anything but ends at the last parenthesis (proc(5)). */
function hasEnded(pid: number): boolean {
  if (process.platform !== 'linux') return false;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false; // gone between the two looks, or hidden from us: the next look tells
  }
}
