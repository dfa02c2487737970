import { readSync, writeSync } from 'node:fs';
import type { Owner } from '#shared/archive-fields.ts';
import { VesselError } from '#shared/vessel-error.ts';
import { extractArchive } from './extract.ts';
import { saveWorkspace, type SaveResult } from './save.ts';
import { scanWorkspace } from './scan.ts';
import { warmUp } from './warm-up.ts';
import { FREE_LINE, RING_FD, SLOT_BYTES, SLOTS, type ChunkLine, type WorkerReply, type WorkerRequest } from './worker-messages.ts';

const STDIN = 0;
const STDOUT = 1;

function writeAll(fd: number, data: Buffer): void {
  for (let done = 0; done < data.length;) done += writeSync(fd, data, done, data.length - done);
}
const writeLine = (line: string): void => writeAll(STDOUT, Buffer.from(`${line}\n`));

const chunk = Buffer.alloc(64 * 1024);
let pending = '';

/** The next line of stdin, waiting for it; null at its end. */
function readLine(): string | null {
  for (;;) {
    const newline = pending.indexOf('\n');
    if (newline >= 0) {
      const line = Buffer.from(pending.slice(0, newline), 'latin1').toString('utf8');
      pending = pending.slice(newline + 1);
      return line;
    }
    const count = readSync(STDIN, chunk, 0, chunk.length, null);
    if (count === 0) return null;
    pending += chunk.toString('latin1', 0, count);
  }
}

/** Hands archive bytes to the agent through the ring; waits for a free slot, which is the back-pressure. */
class RingSink {
  #next = 0;
  #taken = 0;

  #awaitFree(): void {
    const line = readLine();
    if (line === null) process.exit(0);
    if (line !== FREE_LINE) throw new VesselError('INTERNAL', 'the agent spoke out of turn');
    this.#taken -= 1;
  }

  write(data: Buffer): void {
    for (let done = 0; done < data.length;) {
      if (this.#taken === SLOTS) this.#awaitFree();
      const bytes = writeSync(RING_FD, data, done, Math.min(SLOT_BYTES, data.length - done), this.#next * SLOT_BYTES);
      done += bytes;
      this.#taken += 1;
      writeLine(JSON.stringify({ slot: this.#next, bytes } satisfies ChunkLine));
      this.#next = (this.#next + 1) % SLOTS;
    }
  }

  /** Waits until the agent has taken everything. */
  drain(): void {
    while (this.#taken > 0) this.#awaitFree();
  }
}

const ownUser = (): Owner => ({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });

async function save({ workspace, exclude, limits, owner, still }: Extract<WorkerRequest, { op: 'save' }>): Promise<SaveResult> {
  const ring = new RingSink();
  try {
    return await saveWorkspace(workspace, { exclude, limits, owner: owner ?? ownUser(), still }, (data) => ring.write(data));
  } finally {
    ring.drain();
  }
}

async function handle(request: WorkerRequest): Promise<unknown> {
  switch (request.op) {
    case 'extract':
      return extractArchive(request.zip, request.workspace, { ...request.limits, owner: request.owner ?? ownUser() });
    case 'save':
      return save(request);
    case 'scan':
      return scanWorkspace(request.workspace, request.exclude, request.stats);
    case 'warm':
      await warmUp();
      return null;
    default:
      return request satisfies never;
  }
}

async function answer(line: string): Promise<WorkerReply> {
  try {
    return { ok: true, result: await handle(JSON.parse(line) as WorkerRequest) };
  } catch (error) {
    return { ok: false, error: VesselError.from(error).toShape() };
  }
}

/**
 * The workspace worker: one request at a time, with blocking system calls throughout. For thousands of small files that is the fastest Node
 * can do, and it costs nothing while it waits. Runs as root where the agent does, because a workspace holds what its user may not read (a database's folder,
 * what `sudo` made) and a save must carry all of it; what it unpacks it creates as the workspace's user (see extract.ts). Ends with its stdin.
 */
export async function runWorker(): Promise<void> {
  process.umask(0);
  for (let line = readLine(); line !== null; line = readLine()) writeLine(JSON.stringify(await answer(line)));
}
