import { createHash } from 'node:crypto';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What comes and goes while one looks (a process, a file) is simply not there. */
export async function unlessGone<T>(look: () => Promise<T>): Promise<T | null> {
  try {
    return await look();
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'ENOTDIR', 'EINVAL', 'ENAMETOOLONG'].includes((error as { readonly code?: string }).code ?? '')) return null;
    throw error;
  }
}

/** The kernel's letter for a process: R, S, T (stopped), Z (dead, not yet collected) …; null when there is none. */
export async function processState(pid: number): Promise<string | null> {
  const text = await unlessGone(() => readFile(`/proc/${pid}/stat`, 'utf8'));
  if (text === null) return null;
  return text[text.lastIndexOf(')') + 2] ?? null;
}

export async function isAlive(pid: number): Promise<boolean> {
  const state = await processState(pid);
  return state !== null && state !== 'Z' && state !== 'X';
}

const allPids = async (): Promise<readonly number[]> => (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
const commandLine = (pid: number): Promise<string | null> => unlessGone(() => readFile(`/proc/${pid}/cmdline`, 'utf8'));

/** The `infra-agent serve` that this Vessel started and that lives. */
export async function agentOf(vesselPid: number): Promise<number | null> {
  const children = await unlessGone(() => readFile(`/proc/${vesselPid}/task/${vesselPid}/children`, 'utf8')) ?? '';
  for (const pid of children.split(' ').filter((text) => text !== '').map(Number)) {
    if (!await isAlive(pid)) continue;
    if ((await commandLine(pid))?.endsWith('\0serve\0') === true) return pid;
  }
  return null;
}

/** The folder of a VM's sockets, which lies outside of the home because socket paths are short (as root: /run/vessel). */
export const socketFolder = (home: string, vmId: string): string => join('/run/vessel', createHash('sha256').update(join(home, 'host', 'vms', vmId)).digest('hex').slice(0, 16));

/** Everything alive that has to do with one of the folders: by its arguments, its working folder or its open files. */
export async function processesTouching(folders: readonly string[]): Promise<readonly { readonly pid: number; readonly command: string }[]> {
  const found: { pid: number; command: string }[] = [];
  const touches = (text: string | null): boolean => text !== null && folders.some((folder) => text.includes(folder));
  for (const pid of await allPids()) {
    if (pid === process.pid || !await isAlive(pid)) continue;
    const command = await commandLine(pid);
    const descriptors = await unlessGone(() => readdir(`/proc/${pid}/fd`)) ?? [];
    const links = await Promise.all([`/proc/${pid}/cwd`, ...descriptors.map((name) => `/proc/${pid}/fd/${name}`)].map((path) => unlessGone(() => readlink(path))));
    if (touches(command) || links.some(touches)) found.push({ pid, command: (command ?? '').replaceAll('\0', ' ').trim() });
  }
  return found;
}

/** Kills as nothing else does, and waits until it is dead. */
export async function kill9(pid: number): Promise<void> {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as { readonly code?: string }).code !== 'ESRCH') throw error;
  }
  await until(async () => !await isAlive(pid), `process ${pid} to die`, 5_000);
}

/** Lets a stopped process go on, if it still is there. */
export function resume(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch (error) {
    if ((error as { readonly code?: string }).code !== 'ESRCH') throw error;
  }
}

/** Waits for a condition. Throws naming it when the deadline (milliseconds) passes. */
export async function until(condition: () => Promise<boolean> | boolean, what: string, deadlineMs = 30_000, everyMs = 20): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (!await condition()) {
    if (Date.now() > deadline) throw new Error(`waited ${deadlineMs} ms for ${what}`);
    await sleep(everyMs);
  }
}
