import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { lchown, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { VesselError } from '#shared/errors.ts';
import type { RunUser } from '../../system/run-user.ts';
import type { QmpClient } from './qmp-client.ts';

/**
 * `x-ignore-shared`: the memory file stays where it is and only the devices' state travels (QEMU's "VM templating"). Without it all memory
 * travels, but for pages of zeros. `events`: the end of a migration is told, not polled for.
 */
const capabilities = (memory: 'stays' | 'travels'): Readonly<Record<string, unknown>> => ({
  capabilities: [{ capability: 'x-ignore-shared', state: memory === 'stays' }, { capability: 'events', state: true }],
});

/** Bytes a second: a migration to a file has no other traffic to spare (QEMU's own limit is 128 MiB/s). */
const MAX_BANDWIDTH = 64 * 1024 ** 3;

function migrationEnds(qmp: QmpClient, signal: AbortSignal): Promise<void> {
  return qmp.waitForEvent(({ event, data }) => event === 'MIGRATION' && ['completed', 'failed', 'cancelled'].includes(String(data['status'])), signal)
    .then(({ data }) => {
      if (data['status'] !== 'completed') throw new VesselError('VM_START_FAILED', `the hypervisor's state transfer ${String(data['status'])}`);
    });
}

export type StateFile = { readonly path: string; readonly socketDir: string; readonly user: RunUser | null; readonly memory: 'stays' | 'travels'; readonly signal: AbortSignal };

/**
 * Writes a stopped machine's state to a file and flushes it. Goes over a unix socket: a sandboxed hypervisor may neither start a program
 * nor open our files. The machine is then `postmigrate`: `cont` lets it go on.
 */
export async function sendState(qmp: QmpClient, file: StateFile): Promise<void> {
  await qmp.execute('migrate-set-capabilities', capabilities(file.memory));
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': MAX_BANDWIDTH });
  const socketPath = join(file.socketDir, 'freeze.sock');
  await rm(socketPath, { force: true });
  const server = createServer();
  server.listen(socketPath);
  await once(server, 'listening');
  try {
    // The folder is the machine's own: what it may have put there instead must not be followed.
    if (file.user !== null) await lchown(socketPath, file.user.uid, file.user.gid);
    const received = once(server, 'connection', { signal: file.signal }).then(async ([socket]: unknown[]) => {
      await pipeline(socket as NodeJS.ReadableStream, createWriteStream(file.path, { mode: 0o600, flush: file.memory === 'travels' }), { signal: file.signal });
    });
    const ended = migrationEnds(qmp, file.signal);
    await Promise.all([qmp.execute('migrate', { uri: `unix:${socketPath}` }), ended, received]);
  } finally {
    server.close();
    await rm(socketPath, { force: true });
  }
}

/** Ends a hypervisor; that it is gone is checked by the caller. */
export async function quit(qmp: QmpClient): Promise<void> {
  await qmp.execute('quit').catch((error: unknown) => {
    // It may close the channel before it answers.
    if (VesselError.from(error).code !== 'VM_DIED') throw error;
  });
}

/** Stops a running machine and writes its devices' state (about 80 KB) to a file; the hypervisor then quits. Its memory is the shared memory file. */
export async function freeze(qmp: QmpClient, given: { readonly statePath: string; readonly socketDir: string; readonly user: RunUser | null; readonly signal: AbortSignal }): Promise<void> {
  await qmp.execute('stop');
  await sendState(qmp, { path: given.statePath, socketDir: given.socketDir, user: given.user, memory: 'stays', signal: given.signal });
  await quit(qmp);
}

/**
 * Reads a frozen machine's state, from the descriptor of that number in the hypervisor, into one that waits for it. Everything is
 * sent at once and only the end awaited. The guest is paused then.
 */
export async function restore(qmp: QmpClient, stateDescriptor: number, memory: 'stays' | 'travels', signal: AbortSignal): Promise<void> {
  const ended = migrationEnds(qmp, signal);
  await Promise.all([
    qmp.execute('qmp_capabilities'),
    qmp.execute('migrate-set-capabilities', capabilities(memory)),
    qmp.execute('migrate-incoming', { uri: `fd:${stateDescriptor}` }),
    ended,
  ]);
}
