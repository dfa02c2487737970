import { closeSync, fsyncSync, openSync, rmSync, statSync, statfsSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** Room for some hundred decisions and their logs. */
const RESERVE_BYTES = 8 * 1024 * 1024;
/** It is only taken from a disk that does not feel it. */
const ENOUGH_BYTES = 10 * RESERVE_BYTES;
const REFILL_EVERY_MS = 30_000;

/** A file whose only purpose is to be removed when the disk is full. */
export class DiskReserve {
  readonly #path: string;
  #present = false;
  #nextTryAt = 0;

  constructor(path: string) {
    this.#path = path;
    this.#present = sizeOf(path) >= RESERVE_BYTES;
    this.refill();
  }

  /** Gives the space back to the disk; false when there is none to give. */
  release(): boolean {
    if (!this.#present) return false;
    rmSync(this.#path, { force: true });
    this.#present = false;
    this.#nextTryAt = Date.now() + REFILL_EVERY_MS;
    return true;
  }

  /** Takes the space again once there is enough. Costs nothing most of the time; a disk that refuses is asked again later. */
  refill(): void {
    if (this.#present || Date.now() < this.#nextTryAt) return;
    this.#nextTryAt = Date.now() + REFILL_EVERY_MS;
    try {
      const { bavail, bsize } = statfsSync(dirname(this.#path));
      if (bavail * bsize < ENOUGH_BYTES) return;
      const file = openSync(this.#path, 'w', 0o600);
      try {
        // Written, not only made long: a hole holds no space.
        writeSync(file, Buffer.alloc(RESERVE_BYTES, 0x76));
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      this.#present = true;
    } catch {
      // Filled up in this very moment.
      rmSync(this.#path, { force: true });
    }
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
