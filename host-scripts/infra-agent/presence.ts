import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errnoOf } from '../system/errno.ts';
import { hostBootId, isAlive, ownIdentity } from '../system/process-identity.ts';

const SignSchema = z.object({ pid: z.number(), startTicks: z.number(), bootId: z.string() });
/** A desktop with open environments asks at least every half minute; noting it down more often than this tells nothing new. */
const NOTE_EVERY_MS = 1_000;

/** Where the signs lie. */
export const servingFolder = (state: string): string => join(state, 'serving');

export type Presence = { readonly heard: () => void; readonly end: () => Promise<void> };

/** Signs of the desktops that are connected: one file for each serving agent, touched whenever its desktop asks something. */
export class PresenceFolder {
  readonly #folder: string;
  constructor(state: string) {
    this.#folder = servingFolder(state);
  }

  /**
   * Begins to serve a desktop. A host that is not set up gets no sign before it is: whoever only looks at it leaves nothing behind, and one
   * whose state was taken away is not given it again.
   */
  async begin(): Promise<Presence> {
    const path = join(this.#folder, `${process.pid}.json`);
    let signed = await this.#sign(path);
    let notedAt = Date.now();
    return {
      heard: () => {
        const now = Date.now();
        if (now - notedAt < NOTE_EVERY_MS) return;
        notedAt = now;
        // A sign that cannot be renewed makes its desktop count as away: then environments sleep, and nothing is lost.
        if (signed) utimes(path, new Date(now), new Date(now)).catch(() => undefined);
        else this.#sign(path).then((done) => { signed = done; }, () => undefined);
      },
      end: () => rm(path, { force: true }),
    };
  }

  /** False when there is no state to lay it in. */
  async #sign(path: string): Promise<boolean> {
    try {
      await mkdir(this.#folder, { mode: 0o700 });
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    await writeFile(path, JSON.stringify({ ...await ownIdentity(), bootId: await hostBootId() }), { mode: 0o600 });
    return true;
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
