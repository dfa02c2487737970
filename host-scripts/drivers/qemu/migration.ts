import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { chown, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { VesselError } from '#shared/errors.ts';
import type { RunUser } from '../../system/run-user.ts';
import type { QmpClient } from './qmp-client.ts';

/**
 * `x-ignore-shared`: the memory file stays where it is and only the devices' state travels (QEMU's "VM templating"). `events`:
 * the end of a migration is told, not polled for.
 */
const CAPABILITIES = { capabilities: [{ capability: 'x-ignore-shared', state: true }, { capability: 'events', state: true }] };

function migrationEnds(qmp: QmpClient, signal: AbortSignal): Promise<void> {
  return qmp.waitForEvent(({ event, data }) => event === 'MIGRATION' && ['completed', 'failed', 'cancelled'].includes(String(data['status'])), signal)
    .then(({ data }) => {
      if (data['status'] !== 'completed') throw new VesselError('VM_START_FAILED', `the hypervisor's state transfer ${String(data['status'])}`);
    });
}

/**
 * Stops a running machine and writes its devices' state (about 80 KB) to a file; the hypervisor then quits. Its memory is the
 * shared memory file. Goes over a unix socket: a sandboxed hypervisor may neither start a program nor open our files.
 */
export async function freeze(qmp: QmpClient, given: { readonly statePath: string; readonly socketDir: string; readonly user: RunUser | null; readonly signal: AbortSignal }): Promise<void> {
  await qmp.execute('migrate-set-capabilities', CAPABILITIES);
  await qmp.execute('stop');
  const socketPath = join(given.socketDir, 'freeze.sock');
  await rm(socketPath, { force: true });
  const server = createServer();
  server.listen(socketPath);
  await once(server, 'listening');
  try {
    if (given.user !== null) await chown(socketPath, given.user.uid, given.user.gid);
    const received = once(server, 'connection', { signal: given.signal }).then(async ([socket]: unknown[]) => {
      await pipeline(socket as NodeJS.ReadableStream, createWriteStream(given.statePath, { mode: 0o600 }), { signal: given.signal });
    });
    const ended = migrationEnds(qmp, given.signal);
    await Promise.all([qmp.execute('migrate', { uri: `unix:${socketPath}` }), ended, received]);
  } finally {
    server.close();
    await rm(socketPath, { force: true });
  }
  await qmp.execute('quit').catch((error: unknown) => {
    // It may close the channel before it answers; that it ends is checked by the caller.
    if (VesselError.from(error).code !== 'VM_DIED') throw error;
  });
}

/**
 * Reads a frozen machine's state, from the descriptor of that number in the hypervisor, into one that waits for it. Everything is
 * sent at once and only the end awaited. The guest is paused then.
 */
export async function restore(qmp: QmpClient, stateDescriptor: number, signal: AbortSignal): Promise<void> {
  const ended = migrationEnds(qmp, signal);
  await Promise.all([
    qmp.execute('qmp_capabilities'),
    qmp.execute('migrate-set-capabilities', CAPABILITIES),
    qmp.execute('migrate-incoming', { uri: `fd:${stateDescriptor}` }),
    ended,
  ]);
}
