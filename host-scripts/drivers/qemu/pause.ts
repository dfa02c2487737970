import { join } from 'node:path';
import { z } from 'zod';
import { wakeGuest } from '../../guest/introduce.ts';
import type { RecordStore } from '../../records/record-store.ts';
import { isAlive } from '../../system/process-identity.ts';
import type { PauseAbility } from '../driver.ts';
import { connectQmp } from './connect-qmp.ts';
import type { QmpClient } from './qmp-client.ts';
import { VM_FILES } from './start-machine.ts';

const StatusSchema = z.object({ status: z.string() });
/** `io-error` is QEMU's own stop at a failed write, `paused` ours. A machine whose state travels is neither. */
const STANDS: readonly string[] = ['io-error', 'paused'];
/** The agent of a guest that stood still answers within seconds; its clock is behind until then. */
const WAKE_MS = 30_000;
const ANSWER_MS = 2_000;

/** Stops and continues machines by their second control channel, one short connection each: whoever puts one to sleep needs it too. */
export function pauseAbility(records: RecordStore): PauseAbility {
  /** Only while the record says `running`: what is being started, put to sleep or removed is paused on purpose. */
  async function withQmp<T>(id: string, otherwise: T, work: (qmp: QmpClient) => Promise<T>): Promise<T> {
    const record = (await records.read(id))?.record;
    if (record?.phase !== 'running' || record.socketDir === null) return otherwise;
    const qmp = await connectQmp(record.socketDir, ANSWER_MS);
    // A hypervisor that hangs must not keep whoever watches the others.
    const impatience = setTimeout(() => qmp.close(), ANSWER_MS);
    try {
      return await work(qmp);
    } finally {
      clearTimeout(impatience);
      qmp.close();
    }
  }
  return {
    diskPath: (id) => join(records.directory(id), VM_FILES.disk),
    stands: (id) => withQmp(id, false, async (qmp) => STANDS.includes(StatusSchema.parse(await qmp.execute('query-status')).status)),
    stop: (id) => withQmp(id, undefined, async (qmp) => { await qmp.execute('stop'); }),
    async goOn({ id, address, token }) {
      await withQmp(id, undefined, async (qmp) => { await qmp.execute('cont'); });
      const processes = (await records.read(id))?.record?.processes ?? [];
      if (address === null || token === null) return;
      const alive = async (): Promise<boolean> => (await Promise.all(processes.map((identity) => isAlive(identity)))).every((lives) => lives);
      // Only its clock depends on it; a guest that is too busy to answer runs all the same.
      void wakeGuest({ address, token, alive }, { signal: AbortSignal.timeout(WAKE_MS), stage: () => undefined, log: () => undefined }, Date.now() + WAKE_MS).catch(() => undefined);
    },
  };
}
