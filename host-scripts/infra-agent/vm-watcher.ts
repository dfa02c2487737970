import { setTimeout as delay } from 'node:timers/promises';
import type { Vm } from '#shared/host-protocol.ts';

/** A dead machine is noticed within this time; the look costs two small file reads per VM. */
const WATCH_EVERY_MS = 500;

export type VmWatcherOptions = {
  readonly list: () => Promise<readonly Vm[]>;
  readonly changed: (vm: Vm) => void;
  readonly failed: (error: unknown) => void;
  readonly signal: AbortSignal;
};

/** Tells about every VM that appears, changes its state or vanishes, whoever caused it. Resolves when `signal` fires. */
export async function watchVms(options: VmWatcherOptions): Promise<void> {
  let known: ReadonlyMap<string, Vm> | null = null;
  while (!options.signal.aborted) {
    try {
      const seen = new Map((await options.list()).map((vm) => [vm.id, vm]));
      if (known === null) {
        // What died while no agent watched is news to whoever started this one.
        for (const vm of seen.values()) if (vm.state === 'stopped' || vm.state === 'broken') options.changed(vm);
      } else {
        for (const vm of seen.values()) {
          const before = known.get(vm.id);
          if (before?.state !== vm.state || before.problem !== vm.problem) options.changed(vm);
        }
        for (const vm of known.values()) {
          if (!seen.has(vm.id)) options.changed({ ...vm, state: 'stopped', address: null, token: null, pid: null, problem: null });
        }
      }
      known = seen;
    } catch (error) {
      options.failed(error);
    }
    // The abort ends the pause; there is nothing to do about it but leave the loop.
    await delay(WATCH_EVERY_MS, undefined, { signal: options.signal, ref: false }).catch(() => undefined);
  }
}
