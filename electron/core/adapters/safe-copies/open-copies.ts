import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import type { SafeCopies } from '../../ports/safe-copies.ts';
import { openCachedCopies, type CachedCopiesOptions } from './cached-copies.ts';
import { localCopies } from './local-copies.ts';

const ANY_HASH = '0'.repeat(64);

/** The safe copies that fit a cold store: its own files, or a cache of them. */
export function openCopies(options: CachedCopiesOptions): Promise<SafeCopies> {
  return options.cold.localPath('any', ANY_HASH) === null ? openCachedCopies(options) : Promise.resolve(localCopies(options.cold));
}

/** The cache as a source of repair for the store it was filled from. */
export function copiesSource(copies: SafeCopies): { readonly name: string; find(projectId: string, sha256: string): Promise<Readable | null> } {
  return {
    name: 'the safe copy on this computer',
    async find(projectId, sha256) { const path = await copies.spare(projectId, sha256); return path === null ? null : createReadStream(path); },
  };
}

