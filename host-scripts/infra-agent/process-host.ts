import { processDriver } from '../drivers/process/process-driver.ts';
import { computerFacts } from '../host-facts.ts';
import type { HostPaths } from '../paths.ts';
import { RecordStore } from '../records/record-store.ts';
import { abilitiesOf } from './driver-facts.ts';
import type { HostParts } from './host-parts.ts';

/** A guest agent with its stand-in IDE takes about this much (two Node processes and a worker). */
const PROCESS_VM_BYTES = 150 * 1024 * 1024;
const MAX_MORE = 50;

/** The parts of a host that "runs" the test driver: nothing to provision, always ready. */
export function processHost(paths: HostPaths): HostParts {
  const driver = processDriver(new RecordStore(paths.vms));
  return {
    driver,
    async facts() {
      const [computer, vms] = await Promise.all([computerFacts(paths.state), driver.list()]);
      return {
        ...computer, accelerator: { kind: 'unknown', why: 'the process driver runs no machine', probedAt: null }, qemuVersion: null, image: null, templates: [],
        capacity: { running: vms.filter((vm) => vm.state === 'running').length, more: Math.min(MAX_MORE, Math.floor(computer.memoryAvailableBytes / PROCESS_VM_BYTES)), perEnvironmentBytes: PROCESS_VM_BYTES },
        standby: 'off', runUser: null, ready: true, driver: 'process', abilities: abilitiesOf(driver),
      };
    },
    doctor: () => Promise.resolve({ healthy: true, checks: [{ stage: 'driver', state: 'warn', evidence: 'the process driver isolates nothing: tests only', fix: 'use the qemu driver', ms: 0 }] }),
    provision: ({ dryRun }) => Promise.resolve({ status: dryRun ? 'planned' : 'success', steps: [], changed: 0 }),
    close: () => Promise.resolve(),
    unprovision: ({ dryRun }) => Promise.resolve({ status: dryRun ? 'planned' : 'success', removed: [], kept: [] }),
  };
}
