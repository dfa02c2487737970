import { beforeAll } from 'vitest';
import { describeUnless } from '../../../build/testing/describe-unless.ts';
import { RecordStore } from '../../records/record-store.ts';
import { cannotRunMachines, quietContext, realHost } from '../../real-host.test-helper.ts';
import { TemplateStore } from '../../templates/template-store.ts';
import { describeDriverContract, describeSleepContract } from '../contract.test-helper.ts';
import type { DriverWithAbilities } from '../driver.ts';
import { qemuDriver } from './qemu-driver.ts';

const why = cannotRunMachines();

describeUnless(why, 'QEMU microVMs', async () => {
  const real = await realHost();
  beforeAll(() => real.host.provision({ dryRun: false, tiers: ['medium'] }, quietContext()), 15 * 60_000);
  const makeDriver = (): DriverWithAbilities => qemuDriver({ paths: real.paths, isRoot: true, records: new RecordStore(real.paths.vms), templates: new TemplateStore(real.paths.templates), templateWanted: () => undefined, standby: null });
  describeSleepContract('the qemu driver', { mode: 'clone', makeDriver, cleanUp: () => Promise.resolve() });
  describeDriverContract('the qemu driver', { mode: 'clone', makeDriver, cleanUp: () => real.dispose() });
});
