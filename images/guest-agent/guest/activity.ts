import { readdirSync, statSync } from 'node:fs';
import type { GuestActivity } from '#shared/guest-protocol.ts';

/**
 * A chunk from the browser no larger than this is VS Code keeping its connection alive: its protocol's header (13 bytes) in a masked
 * WebSocket frame is 19 to 33 bytes, sent every few seconds, two at a time at most. A key press is several hundred.
 */
const KEEP_ALIVE_BYTES = 80;

type Kind = 'ide' | 'http' | 'file' | 'exec' | 'terminal';

/** Input and output of every terminal in the guest, also those inside VS Code: the kernel stamps each tty (8 s grain). Counts them too. */
function terminals(): { readonly count: number; readonly lastMs: number | null } {
  let names: readonly string[];
  try {
    names = readdirSync('/dev/pts').filter((name) => name !== 'ptmx');
  } catch {
    // No devpts mounted: no terminals either.
    return { count: 0, lastMs: null };
  }
  let lastMs: number | null = null;
  for (const name of names) {
    try {
      const { atimeMs, mtimeMs } = statSync(`/dev/pts/${name}`);
      lastMs = Math.max(lastMs ?? 0, atimeMs, mtimeMs);
    } catch {
      // Closed meanwhile.
    }
  }
  return { count: names.length, lastMs };
}

/** When something last happened that a person (or a program of theirs) caused, for the idle clock. */
export class ActivityLog {
  readonly #last: Record<Kind, number | null> = { ide: null, http: null, file: null, exec: null, terminal: null };
  readonly #open = { ide: 0, exec: 0, terminal: 0 };
  readonly #ownTerminals: boolean;
  #since = 0;

  /** `ownTerminals`: the guest's /dev/pts belongs to it alone (not in the process driver). */
  constructor(ownTerminals: boolean) {
    this.#ownTerminals = ownTerminals;
  }

  note(kind: Kind): void {
    this.#last[kind] = Date.now();
  }

  /** Data from the browser on an IDE WebSocket: counts unless it is only a keep-alive. */
  noteIdeData(bytes: number): void {
    if (bytes > KEEP_ALIVE_BYTES) this.note('ide');
  }

  opened(kind: 'ide' | 'exec' | 'terminal'): void {
    this.#open[kind] += 1;
    this.note(kind);
  }

  closed(kind: 'ide' | 'exec' | 'terminal'): void {
    this.#open[kind] -= 1;
  }

  /** After a clone nothing has happened yet: what the template did was not a person. */
  reset(): void {
    for (const kind of Object.keys(this.#last) as Kind[]) this.#last[kind] = null;
    this.#since = Date.now();
  }

  read(changeCounter: number, hold: number | null): GuestActivity {
    const seen = this.#ownTerminals ? terminals() : { count: this.#open.terminal, lastMs: null };
    const last = { ...this.#last };
    if (seen.lastMs !== null && seen.lastMs > this.#since) last.terminal = Math.max(last.terminal ?? 0, seen.lastMs);
    return { now: Date.now(), ...last, open: { ...this.#open, terminal: Math.max(seen.count, this.#open.terminal) }, changeCounter, ...(hold === null ? {} : { hold }) };
  }
}
