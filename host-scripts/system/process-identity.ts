import { readFile, readdir, readlink } from 'node:fs/promises';
import { errnoOf } from './errno.ts';

/**
 * A process that cannot be confused with a later one of the same number: the kernel's start time (clock ticks since the
 * host's boot, field 22 of `/proc/<pid>/stat`, proc(5)) goes with the pid.
 */
export type ProcessIdentity = { readonly pid: number; readonly startTicks: number };

type Stat = { readonly state: string; readonly startTicks: number; readonly processGroup: number; readonly cpuTicks: number };

/** Gone processes make ENOENT, ESRCH while reading; both mean "no such process". */
const isGone = (error: unknown): boolean => ['ENOENT', 'ESRCH'].includes(errnoOf(error) ?? '');

async function readStat(pid: number): Promise<Stat | null> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The command name stands in parentheses and may hold anything, also parentheses: count from the last one.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '?', processGroup: Number(fields[2]), startTicks: Number(fields[19]), cpuTicks: Number(fields[11]) + Number(fields[12]) };
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

/** The identity of a living process; null when there is none of that number. */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | null> {
  const stat = await readStat(pid);
  return stat === null ? null : { pid, startTicks: stat.startTicks };
}

/** This process. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  const identity = await identifyProcess(process.pid);
  if (identity === null) throw new Error('this process is not in /proc');
  return identity;
}

/** Linux counts in hundredths of a second on every architecture we run on (sysconf(_SC_CLK_TCK)). */
const TICKS_PER_SECOND = 100;

/** Processor time the process has used so far, in seconds; 0 when it is gone. */
export async function cpuSeconds(identity: ProcessIdentity): Promise<number> {
  const stat = await readStat(identity.pid);
  return stat === null || stat.startTicks !== identity.startTicks ? 0 : stat.cpuTicks / TICKS_PER_SECOND;
}

/** True while exactly this process lives (a zombie does not). */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const stat = await readStat(identity.pid);
  return stat !== null && stat.startTicks === identity.startTicks && stat.state !== 'Z' && stat.state !== 'X';
}

export type ProcessSight = { readonly argv: readonly string[]; readonly cwd: string | null };

/** Processes that vanish while one looks, the working folders of other users' ones, and those too deep for the kernel to tell are not seen. */
async function unlessHidden<T>(look: () => Promise<T>): Promise<T | null> {
  try {
    return await look();
  } catch (error) {
    if (isGone(error) || ['EACCES', 'EPERM', 'ENAMETOOLONG'].includes(errnoOf(error) ?? '')) return null;
    throw error;
  }
}

/** Every living process, except this one, that `wanted` recognises by its arguments or its working folder. */
export async function findProcesses(wanted: (sight: ProcessSight) => boolean): Promise<readonly ProcessIdentity[]> {
  const numbers = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => pid !== process.pid);
  const found = await Promise.all(numbers.map(async (pid) => {
    const cmdline = await unlessHidden(() => readFile(`/proc/${pid}/cmdline`, 'utf8'));
    if (cmdline === null) return null;
    const cwd = await unlessHidden(() => readlink(`/proc/${pid}/cwd`));
    return wanted({ argv: cmdline.split('\0'), cwd }) ? await identifyProcess(pid) : null;
  }));
  return found.filter((identity) => identity !== null);
}

/** This boot of the host; a pid of another boot means nothing. */
export async function hostBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}
