import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** A tree (as a tar file) that is costly to make and changes seldom, kept under the hash of what it is made from. */
export type Layer = { readonly name: string; readonly key: string; readonly path: string };

/** SHA-256 of the inputs as canonical JSON (sorted keys), 32 hex digits: equal inputs give equal keys on every machine and path. */
export function hashInputs(inputs: unknown): string {
  return createHash('sha256').update(canonical(inputs)).digest('hex').slice(0, 32);
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

export const layerPath = (cacheDir: string, name: string, key: string): string => join(cacheDir, 'layers', `${name}-${key}.tar`);

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === 'ENOENT') return false;
    throw error;
  }
}

/**
 * The layer from the cache, or made by `make` in a scratch folder on the same file system and moved into place whole.
 * `make` writes `output` (a tar file) and may use the folder for anything else.
 */
export async function cachedLayer(cacheDir: string, name: string, key: string, make: (work: { readonly scratch: string; readonly output: string }) => Promise<void>): Promise<Layer> {
  const path = layerPath(cacheDir, name, key);
  if (await exists(path)) return { name, key, path };
  await mkdir(dirname(path), { recursive: true });
  const scratch = await mkdtemp(join(dirname(path), `.${name}-`));
  try {
    const output = join(scratch, 'layer.tar');
    await make({ scratch, output });
    await rename(output, path);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return { name, key, path };
}
