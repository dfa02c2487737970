import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errnoOf } from '../system/errno.ts';
import { hostBootId, isAlive, ownIdentity } from '../system/process-identity.ts';

const SignSchema = z.object({ pid: z.number(), startTicks: z.number(), bootId: z.string() });
/** A desktop with open environments asks at least every half minute; noting it down more often than this tells nothing new. */
const NOTE_EVERY_MS = 1_000;

export type Presence = { readonly heard: () => void; readonly end: () => Promise<void> };

/** Signs of the desktops that are connected: one file for each serving agent, touched whenever its desktop asks something. */
export class PresenceFolder {
  readonly #folder: string;
  constructor(state: string) {
    this.#folder = join(state, 'serving');
  }

  /** Begins to serve a desktop. */
  async begin(): Promise<Presence> {
    const path = join(this.#folder, `${process.pid}.json`);
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await writeFile(path, JSON.stringify({ ...await ownIdentity(), bootId: await hostBootId() }), { mode: 0o600 });
    let notedAt = Date.now();
    return {
      heard: () => {
        const now = Date.now();
        if (now - notedAt < NOTE_EVERY_MS) return;
        notedAt = now;
        // A sign that cannot be renewed makes its desktop count as away: then environments sleep, and nothing is lost.
        utimes(path, new Date(now), new Date(now)).catch(() => undefined);
      },
      end: () => rm(path, { force: true }),
    };
  }

  /** When a desktop whose agent still lives was last heard, Unix ms; null when none is connected. Removes the signs of agents that are gone. */
  async lastHeard(): Promise<number | null> {
    let names: readonly string[];
    try {
      names = (await readdir(this.#folder)).filter((name) => name.endsWith('.json'));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return null;
      throw error;
    }
    const times = await Promise.all(names.map((name) => this.#heardAt(join(this.#folder, name))));
    const known = times.filter((time) => time !== null);
    return known.length === 0 ? null : Math.max(...known);
  }

  async #heardAt(path: string): Promise<number | null> {
    try {
      const sign = SignSchema.safeParse(JSON.parse(await readFile(path, 'utf8')));
      if (sign.success && sign.data.bootId === await hostBootId() && await isAlive(sign.data)) return (await stat(path)).mtimeMs;
    } catch (error) {
      // Gone meanwhile, or half written by an agent that just begins: the next look sees it.
      if (errnoOf(error) === 'ENOENT' || error instanceof SyntaxError) return null;
      throw error;
    }
    await rm(path, { force: true });
    return null;
  }
}
