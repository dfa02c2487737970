import { readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';

/** Besides the one in use: a second Vessel of another version, and the way back from an update, do without a rebuild. */
const KEEP_IMAGES = 2;
/** Of each kind; a layer is the slow part of an image. */
const KEEP_LAYERS = 2;
const KEY = /^[0-9a-f]{32}$/;

type Found = { readonly name: string; readonly path: string; readonly usedAt: number };

/**
 * Removes golden images (1.3 GB each) and layers that were not used for longest. A machine that runs from one keeps it: the kernel
 * frees a file with its last user. Returns what was removed. Call while no build runs.
 */
export async function pruneImages(cacheDir: string, currentKey: string): Promise<readonly string[]> {
  const images = (await inFolder(join(cacheDir, 'images'))).filter(({ name }) => KEY.test(name) && name !== currentKey);
  const layers = await inFolder(join(cacheDir, 'layers'));
  const kinds = new Set(layers.map(({ name }) => kindOf(name)));
  const surplus = [
    ...oldest(images, KEEP_IMAGES),
    ...[...kinds].flatMap((kind) => oldest(layers.filter(({ name }) => kindOf(name) === kind && name.endsWith('.tar')), KEEP_LAYERS)),
  ];
  for (const { path } of surplus) await rm(path, { recursive: true, force: true });
  return surplus.map(({ path }) => path);
}

/** Writes down that an image is in use now. */
export async function touchImage(cacheDir: string, key: string): Promise<void> {
  const now = new Date();
  await utimes(join(cacheDir, 'images', key), now, now);
}

const kindOf = (name: string): string => name.split('-')[0] ?? name;
const oldest = (found: readonly Found[], keep: number): readonly Found[] => found.toSorted((one, other) => other.usedAt - one.usedAt).slice(keep);

async function inFolder(folder: string): Promise<readonly Found[]> {
  let names: readonly string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return Promise.all(names.map(async (name) => ({ name, path: join(folder, name), usedAt: (await stat(join(folder, name))).mtimeMs })));
}
