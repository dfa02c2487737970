import { VesselError } from '#shared/errors.ts';
import type { RemoteIndex, RemoteKind } from '../../ports/remote-store.ts';

/** What a plan takes; null where there is no limit. */
export type PlanLimits = { readonly maxFileBytes: number | null; readonly totalBytes: number | null };
/** Supabase's free plan: 50 MB for one file, 1 GB in all. */
export const FREE_PLAN: PlanLimits = { maxFileBytes: 50 * 1024 * 1024, totalBytes: 1024 ** 3 };
/** Other devices add to the sum as well. */
const STALE_MS = 5 * 60_000;

/** Knows what fits, before anything is sent. */
export class CloudLimits {
  readonly #planOf: (kind: RemoteKind) => PlanLimits;
  readonly #now: () => number;
  readonly #used = new Map<RemoteKind, { bytes: number; at: number }>();

  constructor(planOf: (kind: RemoteKind) => PlanLimits, now: () => number) {
    this.#planOf = planOf;
    this.#now = now;
  }

  /** Bytes in use as last counted; null when never counted. */
  used(kind: RemoteKind): number | null { return this.#used.get(kind)?.bytes ?? null; }
  plan(kind: RemoteKind): PlanLimits { return this.#planOf(kind); }

  async count(kind: RemoteKind, index: RemoteIndex): Promise<number> {
    const known = this.#used.get(kind);
    if (known !== undefined && this.#now() - known.at < STALE_MS) return known.bytes;
    const bytes = await index.usedBytes();
    this.#used.set(kind, { bytes, at: this.#now() });
    return bytes;
  }

  /** Throws CLOUD_FILE_TOO_LARGE or CLOUD_OVER_QUOTA, with the limit and what was asked for. */
  async check(kind: RemoteKind, index: RemoteIndex, bytes: number): Promise<void> {
    const { maxFileBytes, totalBytes } = this.#planOf(kind);
    if (maxFileBytes !== null && bytes > maxFileBytes) throw new VesselError('CLOUD_FILE_TOO_LARGE', `The archive has ${megabytes(bytes)}, the plan takes ${megabytes(maxFileBytes)} at most`, { details: { bytes, limitBytes: maxFileBytes } });
    if (totalBytes === null) return;
    const used = await this.count(kind, index);
    if (used + bytes > totalBytes) throw new VesselError('CLOUD_OVER_QUOTA', `${megabytes(used)} of ${megabytes(totalBytes)} are used; the archive needs ${megabytes(bytes)}`, { details: { bytes, usedBytes: used, limitBytes: totalBytes } });
  }

  added(kind: RemoteKind, bytes: number): void {
    const known = this.#used.get(kind);
    if (known !== undefined) this.#used.set(kind, { ...known, bytes: known.bytes + bytes });
  }

  forget(): void { this.#used.clear(); }
}

const megabytes = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(1)} MB`;
