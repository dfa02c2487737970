import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { GuestProgram } from '#shared/guest-protocol.ts';

/** A running process as the kernel tells of it. */
export type Process = {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Device number of its terminal; 0 for none. */
  readonly terminal: number;
  /** The group that its terminal listens to. */
  readonly foreground: number;
  readonly stopped: boolean;
  /** Clock ticks after the boot: tells a process from a later one with the same number. */
  readonly startedAt: string;
  readonly name: string;
};

/** Whose processes are not a person's: those in the sessions of the agent and of the IDE. */
export type ProgramScope = {
  readonly workspace: string;
  /** Sessions of the agent and the IDE. What a person starts has one of its own: terminals, commands, daemons. */
  readonly ownSessions: () => ReadonlySet<number>;
  /** False in the process driver: the machine is shared with processes that are none of ours. */
  readonly ownMachine: boolean;
};

/** From the kernel's headers: a thread of its own. */
const PF_KTHREAD = 0x0020_0000;
const INIT = 1;
const MAX_COMMAND_CHARACTERS = 200;
/** Enough to recognize a program by what it writes. */
const MAX_FILES = 5;
const SHELLS: ReadonlySet<string> = new Set(['bash', 'sh', 'dash', 'zsh', 'fish', 'ksh']);
/** The access mode within the flags of an open file: 0 is reading only. */
const O_ACCMODE = 3;

/** Null for what is gone, a zombie, or a thread of the kernel. */
export function readProcess(pid: number): Process | null {
  let line: string;
  try {
    line = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    // It has ended.
    return null;
  }
  // The name stands in parentheses and may hold any character, parentheses too.
  const end = line.lastIndexOf(')');
  const fields = line.slice(end + 2).split(' ');
  const at = (index: number): number => Number(fields[index]);
  const state = fields[0] ?? '';
  if (state === 'Z' || state === 'X' || (at(6) & PF_KTHREAD) !== 0) return null;
  return {
    pid, parent: at(1), group: at(2), session: at(3), terminal: at(4), foreground: at(5), stopped: state === 'T',
    startedAt: fields[19] ?? '', name: line.slice(line.indexOf('(') + 1, end),
  };
}

function allProcesses(): readonly Process[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    const found = Number.isInteger(pid) && pid > INIT ? readProcess(pid) : null;
    return found === null ? [] : [found];
  });
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // Ended meanwhile, or closed to us.
    return '';
  }
}

/**
 * The processes that a person started, whoever they run as: in a terminal, by a command, as daemons. Not the agent, its helpers and the IDE. Where the
 * machine is shared only what descends from the agent or works in the workspace.
 */
export function personsProcesses({ workspace, ownSessions, ownMachine }: ProgramScope): readonly Process[] {
  const own = ownSessions();
  const all = allProcesses();
  const found = all.filter(({ session, pid }) => pid !== process.pid && !own.has(session));
  if (ownMachine) return found;
  const parents = new Map(all.map(({ pid, parent }) => [pid, parent]));
  const descends = (pid: number): boolean => {
    for (let at = parents.get(pid); at !== undefined && at > INIT; at = parents.get(at)) if (at === process.pid) return true;
    return false;
  };
  return found.filter(({ pid }) => descends(pid) || isBelow(workspace, linkOf(`/proc/${pid}/cwd`)));
}

const isBelow = (folder: string, path: string): boolean => path === folder || path.startsWith(`${folder}/`);

/** The shells among them that wait at a prompt: they hold a terminal open, and nothing of a person's runs in them. */
export function idleShells(processes: readonly Process[]): ReadonlySet<Process> {
  const parents = new Set(processes.map(({ parent }) => parent));
  return new Set(processes.filter((one) => one.terminal !== 0 && one.pid === one.session && one.foreground === one.group && SHELLS.has(one.name) && !parents.has(one.pid)));
}

function commandOf({ pid, name }: Process): string {
  let words = '';
  try {
    words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    // Ended meanwhile: its short name is known.
  }
  return (words === '' ? name : words).replaceAll(/\s+/g, ' ').slice(0, MAX_COMMAND_CHARACTERS);
}

/** Files of the workspace, relative to it, that a process holds open for writing. */
export function openForWriting(pid: number, workspace: string): readonly string[] {
  let descriptors: readonly string[];
  try {
    descriptors = readdirSync(`/proc/${pid}/fd`);
  } catch {
    return [];
  }
  const found = new Set<string>();
  for (const descriptor of descriptors) {
    const path = linkOf(`/proc/${pid}/fd/${descriptor}`);
    if (!path.startsWith(`${workspace}/`) || !isWritable(pid, descriptor)) continue;
    found.add(path.slice(workspace.length + 1));
    if (found.size >= MAX_FILES) break;
  }
  return [...found];
}

function isWritable(pid: number, descriptor: string): boolean {
  try {
    const flags = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, 'latin1'))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & O_ACCMODE) !== 0;
  } catch {
    return false;
  }
}

/** What is told of a process. */
export function describeProgram(one: Process, workspace: string, how: GuestProgram['how']): GuestProgram {
  return { pid: one.pid, command: commandOf(one), wrote: [...openForWriting(one.pid, workspace)], how };
}
