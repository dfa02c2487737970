import { readSync, writeSync } from 'node:fs';
import { VesselError } from '#shared/vessel-error.ts';
import { extractArchive } from './extract.ts';
import { saveWorkspace } from './save.ts';
import { scanWorkspace } from './scan.ts';
import { warmUp } from './warm-up.ts';
import { DATA_FD, type WorkerReply, type WorkerRequest } from './worker-messages.ts';

const STDIN = 0;
const STDOUT = 1;

/** Writes everything to a blocking descriptor: this is the back-pressure. */
function writeAll(fd: number, data: Buffer): void {
  for (let done = 0; done < data.length;) done += writeSync(fd, data, done, data.length - done);
}

async function handle(request: WorkerRequest): Promise<unknown> {
  switch (request.op) {
    case 'extract':
      return extractArchive(request.zip, request.workspace, request.limits);
    case 'save':
      return saveWorkspace(request.workspace, request.exclude, (data) => writeAll(DATA_FD, data));
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
 * can do, and it costs nothing while it waits. Runs as the unprivileged user, so a hostile archive or tree harms nothing else. Ends with its stdin.
 */
export async function runWorker(): Promise<void> {
  process.umask(0);
  const chunk = Buffer.alloc(64 * 1024);
  let pending = '';
  for (;;) {
    const count = readSync(STDIN, chunk, 0, chunk.length, null);
    if (count === 0) return;
    pending += chunk.toString('latin1', 0, count);
    for (let newline = pending.indexOf('\n'); newline >= 0; newline = pending.indexOf('\n')) {
      const line = Buffer.from(pending.slice(0, newline), 'latin1').toString('utf8');
      pending = pending.slice(newline + 1);
      writeAll(STDOUT, Buffer.from(`${JSON.stringify(await answer(line))}\n`));
    }
  }
}
