import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { ColdStore } from '../../ports/cold-store.ts';
import type { SafeCopies } from '../../ports/safe-copies.ts';

export type SafeCopiesUnderTest = { readonly make: () => Promise<{ readonly cold: ColdStore; readonly copies: SafeCopies }> };
const signal = new AbortController().signal;

/** What the safe copies of any cold store must do. */
export function safeCopiesContract(name: string, { make }: SafeCopiesUnderTest): void {
  const content = randomBytes(200_000);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const put = (cold: ColdStore): Promise<unknown> => cold.put('p', Readable.from([content]), {});

  describe(`${name} as safe copies`, () => {
    it('says NOT_FOUND for what the store does not have', async () => {
      const { copies } = await make();
      await expect(copies.borrow('p', 'a'.repeat(64), signal)).rejects.toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
      expect(await copies.has('p', 'a'.repeat(64))).toBe(false);
    });
    it('lends a file with exactly the archive, to several at once', async () => {
      const { cold, copies } = await make();
      await put(cold);
      const lent = await Promise.all([1, 2, 3].map(() => copies.borrow('p', sha256, signal)));
      for (const { path } of lent) expect((await readFile(path)).equals(content)).toBe(true);
      for (const copy of lent) copy.release();
      expect(await copies.has('p', sha256)).toBe(true);
    });
    it('keeps what it is told to keep', async () => {
      const { cold, copies } = await make();
      await put(cold);
      expect(await copies.keep([{ projectId: 'p', sha256, bytes: content.length }], signal)).toEqual([]);
      expect(await copies.has('p', sha256)).toBe(true);
    });
    it('never gives damaged bytes as a spare', async () => {
      const { cold, copies } = await make();
      await put(cold);
      const spare = await copies.spare('p', sha256);
      if (spare !== null) expect((await readFile(spare)).equals(content)).toBe(true);
    });
  });
}
