import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { pruneImages, touchImage } from './prune-images.ts';

const key = (digit: number): string => String(digit).repeat(32);
let cache: string;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'vessel-prune-'));
  await mkdir(join(cache, 'layers'), { recursive: true });
  for (const digit of [1, 2, 3, 4, 5]) {
    await mkdir(join(cache, 'images', key(digit)), { recursive: true });
    await utimes(join(cache, 'images', key(digit)), digit, digit);
    for (const kind of ['system', 'ide']) {
      const layer = join(cache, 'layers', `${kind}-${key(digit)}.tar`);
      await writeFile(layer, '');
      await utimes(layer, digit, digit);
    }
  }
  await mkdir(join(cache, 'images', '.build-x'));
});
afterEach(() => rm(cache, { recursive: true, force: true }));

it('keeps the image in use, the two used last besides it, two layers of each kind, and what is no image', async () => {
  await touchImage(cache, key(2));
  const removed = await pruneImages(cache, key(1));
  expect((await readdir(join(cache, 'images'))).toSorted()).toEqual(['.build-x', key(1), key(2), key(5)]);
  expect((await readdir(join(cache, 'layers'))).toSorted()).toEqual([4, 5].flatMap((digit) => [`ide-${key(digit)}.tar`, `system-${key(digit)}.tar`]).toSorted());
  expect(removed).toHaveLength(8);
});

it('does nothing where nothing was built', async () => {
  await rm(cache, { recursive: true });
  expect(await pruneImages(cache, key(1))).toEqual([]);
});
