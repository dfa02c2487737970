import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RecordStore } from '../../records/record-store.ts';
import { describeSleepContract } from '../contract.test-helper.ts';
import { UNSAFE_SWITCH, processDriver } from './process-driver.ts';

const root = mkdtempSync(join(tmpdir(), 'vessel-process-'));
process.env[UNSAFE_SWITCH] = '1';
describeSleepContract('the process driver', {
  mode: 'auto',
  makeDriver: () => processDriver(new RecordStore(root)),
  cleanUp: async () => {
    const driver = processDriver(new RecordStore(root));
    for (const vm of await driver.list()) await driver.destroy(vm.id);
    await rm(root, { recursive: true, force: true });
  },
});
