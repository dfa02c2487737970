import { once } from 'node:events';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import { QmpClient } from './qmp-client.ts';

/** The second control channel of every machine, for whoever did not start it. */
export const CONTROL_SOCKET = 'control.sock';
const ANSWER_MS = 10_000;

/** Talks to a machine that another process started. Throws VM_DIED when nothing answers at its socket within `answerMs`. */
export async function connectQmp(socketDir: string, answerMs = ANSWER_MS): Promise<QmpClient> {
  const socket = createConnection(join(socketDir, CONTROL_SOCKET));
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(answerMs) });
  } catch (error) {
    socket.destroy();
    throw new VesselError('VM_DIED', `the hypervisor does not answer at its control socket: ${VesselError.from(error).message}`, { cause: error });
  }
  const qmp = new QmpClient(socket);
  // One is served after the other: the socket takes us at once, the hypervisor when the one before has gone.
  const impatience = setTimeout(() => qmp.close(), answerMs);
  try {
    await qmp.execute('qmp_capabilities');
  } finally {
    clearTimeout(impatience);
  }
  return qmp;
}
