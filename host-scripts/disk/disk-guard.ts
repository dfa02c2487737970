import { stat } from 'node:fs/promises';
import { VesselError } from '#shared/errors.ts';
import type { DiskSpace, Vm } from '#shared/host-protocol.ts';
import type { PauseAbility } from '../drivers/driver.ts';
import { errnoOf } from '../system/errno.ts';
import { diskSpace, megabytes } from './disk-space.ts';

/** A guest that took this much since the reserve was touched is filling the disk; one that only writes its journal goes on. */
const GROWTH_BYTES = 16 * 1024 * 1024;
/** It goes on when there is a little more than the reserve, so that it does not stop again at once. */
const GO_ON_TIMES_RESERVE = 1.25;
/** Hypervisors are asked this often when nothing hints at trouble; each question costs one a few milliseconds. */
const ASK_EVERY_MS = 10_000;
const BLOCK_BYTES = 512;

export type DiskGuardOptions = {
  /** Where the VMs' disks are. */
  readonly folder: string;
  readonly pause: PauseAbility;
  readonly now: () => number;
  readonly log: (text: string) => void;
  /** Stands in for the file system's own count in tests. */
  readonly space?: (folder: string) => Promise<DiskSpace>;
};

/**
 * Keeps one guest from taking the disk from all others. A guest that grows while the reserve is touched is stopped before the disk is
 * full, and one that its hypervisor stopped at a failed write stays so; both go on by themselves once there is space. Until then
 * their list entry says why.
 */
export class DiskGuard {
  readonly #options: DiskGuardOptions;
  readonly #standing = new Set<string>();
  /** Bytes of each disk when the reserve was first touched. */
  readonly #before = new Map<string, number>();
  #askedAt = 0;
  #last: DiskSpace | null = null;
  #round: Promise<unknown> = Promise.resolve();

  constructor(options: DiskGuardOptions) {
    this.#options = options;
  }

  /** The VMs with what keeps them from running, after doing what is due. One round at a time; a failure is logged, never thrown. */
  async look(vms: readonly Vm[]): Promise<readonly Vm[]> {
    const round = this.#round.then(() => this.#look(vms)).catch((error: unknown) => this.#options.log(`the disk of the environments cannot be watched: ${VesselError.from(error).message}`));
    this.#round = round;
    await round;
    return this.explain(vms);
  }

  /** The same without looking. */
  explain(vms: readonly Vm[]): readonly Vm[] { return vms.map((vm) => this.#explain(vm)); }

  #explain(vm: Vm): Vm {
    if (vm.state !== 'running' || !this.#standing.has(vm.id)) return vm;
    return { ...vm, problem: `it stands still because its host's disk is full (${megabytes(this.#last?.freeBytes ?? 0)} free); it goes on by itself when there is space` };
  }

  async #look(vms: readonly Vm[]): Promise<void> {
    const { folder, now } = this.#options;
    const space = await (this.#options.space ?? diskSpace)(folder);
    this.#sayIfChanged(space);
    this.#last = space;
    const running = vms.filter(({ state }) => state === 'running');
    for (const id of [...this.#standing, ...this.#before.keys()]) {
      if (!running.some((vm) => vm.id === id)) { this.#standing.delete(id); this.#before.delete(id); }
    }
    if (space.state === 'full') await this.#stopGrowing(running);
    else this.#before.clear();
    const due = this.#standing.size > 0 || space.state === 'full' || now() - this.#askedAt > ASK_EVERY_MS;
    if (!due || running.length === 0) return;
    this.#askedAt = now();
    await Promise.all(running.map((vm) => this.#ask(vm, space)));
  }

  #sayIfChanged({ state, freeBytes, reserveBytes }: DiskSpace): void {
    if (state === (this.#last?.state ?? 'ok')) return;
    this.#options.log(`${megabytes(freeBytes)} are free where environments have their disks (${state}; ${megabytes(reserveBytes)} are kept for saving)`);
  }

  async #stopGrowing(running: readonly Vm[]): Promise<void> {
    for (const { id } of running) {
      const found = await stat(this.#options.pause.diskPath(id)).catch((error: unknown) => { if (errnoOf(error) === 'ENOENT') return null; throw error; });
      if (found === null) continue;
      const bytes = found.blocks * BLOCK_BYTES;
      const before = this.#before.get(id);
      if (before === undefined || bytes < before) this.#before.set(id, bytes);
      else if (bytes - before >= GROWTH_BYTES && !this.#standing.has(id)) {
        await this.#options.pause.stop(id);
        this.#standing.add(id);
        this.#options.log(`${id} takes the last space of the disk and stands still until there is more`);
      }
    }
  }

  async #ask(vm: Vm, space: DiskSpace): Promise<void> {
    const { pause, log } = this.#options;
    try {
      if (await pause.stands(vm.id)) {
        this.#standing.add(vm.id);
        if (space.freeBytes < space.reserveBytes * GO_ON_TIMES_RESERVE) return;
        await pause.goOn(vm);
        this.#before.delete(vm.id);
        log(`${vm.id} goes on: there is space again`);
      }
      this.#standing.delete(vm.id);
    } catch (error) {
      // It may be ending, or being put to sleep: the next round looks again.
      log(`${vm.id} cannot be asked whether it runs: ${VesselError.from(error).message}`);
    }
  }
}
