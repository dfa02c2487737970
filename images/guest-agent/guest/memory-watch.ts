import { closeSync, constants, openSync, readdirSync, readFileSync, readSync, writeSync } from 'node:fs';
import { errnoOf, log, messageOf } from '../log.ts';

/** A process that the kernel ended because memory ran out. `at`: Unix ms by the guest's clock. */
export type MemoryKill = { readonly pid: number; readonly process: string; readonly memoryBytes: number; readonly at: number };
export type MemoryKills = { readonly count: number; readonly last: MemoryKill | null };

/** One record of the kernel's log is shorter (printk's own limit is 1 KB and a prefix). */
const RECORD_BYTES = 8192;
const KILL = /^\d+,\d+,(\d+),[^;]*;(?:Memory cgroup out|Out) of memory: Killed process (\d+) \((.{1,32}?)\) total-vm:\d+kB, anon-rss:(\d+)kB/;
const MICROSECONDS = 1000;
const MB = 1024 * 1024;

/** The kills in records of /dev/kmsg, oldest first. `bootedAt`: Unix ms. */
export function parseKills(records: readonly string[], bootedAt: number): MemoryKill[] {
  return records.flatMap((record) => {
    const [, micros, pid, process, kilobytes] = KILL.exec(record) ?? [];
    return micros === undefined ? [] : [{ pid: Number(pid), process: process ?? '', memoryBytes: Number(kilobytes) * 1024, at: Math.round(bootedAt + Number(micros) / MICROSECONDS) }];
  });
}

/** What people read about it. */
export const killText = ({ process, pid, memoryBytes }: MemoryKill): string =>
  `the machine ran out of memory, and the kernel ended ${process} (process ${pid}, ${Math.round(memoryBytes / MB)} MB). Run less at once, or give the project more memory.`;

/** Notices that the kernel ended processes for want of memory. Looks when it is asked: an idle guest is not woken for it. */
export class MemoryWatch {
  readonly #ownMachine: boolean;
  #count: number;
  #last: MemoryKill | null = null;

  /** `ownMachine` is false where the agent shares a machine (process driver): whose memory ran out there is not known. */
  constructor(ownMachine: boolean) {
    this.#ownMachine = ownMachine;
    this.#count = this.count;
  }

  /** All kills since the start. A new one is told to the console and to every terminal. */
  read(): MemoryKills {
    const { count } = this;
    if (count > this.#count) {
      const kills = parseKills(readKernelLog(), Date.now() - Number(readFileSync('/proc/uptime', 'utf8').split(' ', 1)[0]) * 1000);
      const fresh = kills.slice(-(count - this.#count));
      this.#count = count;
      this.#last = kills.at(-1) ?? null;
      for (const kill of fresh) log(killText(kill));
      const last = fresh.at(-1);
      if (last !== undefined) tellTerminals(`${fresh.length > 1 ? `${fresh.length} processes were ended: ` : ''}${killText(last)}`);
    }
    return { count, last: this.#last };
  }

  /** What to say of a process that was ended by SIGKILL; null when memory had nothing to do with it. `before`: the count when it started. */
  reasonSince(before: number): string | null {
    const { count, last } = this.read();
    return count > before && last !== null ? killText(last) : null;
  }

  get count(): number {
    return this.#ownMachine ? readCount() : 0;
  }
}

function readCount(): number {
  return Number(/^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'utf8'))?.[1] ?? 0);
}

function readKernelLog(): string[] {
  const records: string[] = [];
  let file: number;
  try {
    file = openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    log(`/dev/kmsg: ${messageOf(error)}`); // the count alone is told
    return records;
  }
  const buffer = Buffer.alloc(RECORD_BYTES);
  try {
    for (;;) {
      try {
        records.push(buffer.toString('utf8', 0, readSync(file, buffer)));
      } catch (error) {
        // EPIPE: the record was overwritten meanwhile, the next is read. EAGAIN: that was all.
        if (errnoOf(error) !== 'EPIPE') return records;
      }
    }
  } finally {
    closeSync(file);
  }
}

/** As wall(1) does, to the terminals of people, VS Code's among them. */
function tellTerminals(text: string): void {
  for (const name of readdirSync('/dev/pts')) {
    if (name === 'ptmx') continue;
    const path = `/dev/pts/${name}`;
    try {
      const terminal = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
      try {
        writeSync(terminal, `\r\nvessel: ${text}\r\n`);
      } finally {
        closeSync(terminal);
      }
    } catch (error) {
      // It was closed just now, or nobody reads it.
      if (errnoOf(error) !== 'EIO' && errnoOf(error) !== 'EAGAIN' && errnoOf(error) !== 'ENOENT') log(`${path}: ${messageOf(error)}`);
    }
  }
}
