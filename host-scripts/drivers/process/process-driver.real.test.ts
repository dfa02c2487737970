import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { RecordStore } from '../../records/record-store.ts';
import { describeDriverContract, describeSleepContract } from '../contract.test-helper.ts';
import { UNSAFE_SWITCH, processDriver } from './process-driver.ts';

const root = mkdtempSync(join(tmpdir(), 'vessel-process-'));

it('refuses to run without the switch that says it isolates nothing', () => {
  const before = process.env[UNSAFE_SWITCH];
  delete process.env[UNSAFE_SWITCH];
  expect(() => processDriver(new RecordStore(root))).toThrow(/isolates nothing/);
  process.env[UNSAFE_SWITCH] = before ?? '1';
});

process.env[UNSAFE_SWITCH] = '1';
const makeDriver = (): ReturnType<typeof processDriver> => processDriver(new RecordStore(root));
describeSleepContract('the process driver', { mode: 'auto', makeDriver, cleanUp: () => Promise.resolve() });
describeDriverContract('the process driver', {
  mode: 'auto', makeDriver,
  cleanUp: async () => {
    const driver = makeDriver();
    for (const vm of await driver.list()) await driver.destroy(vm.id);
    await rm(root, { recursive: true, force: true });
  },
});
