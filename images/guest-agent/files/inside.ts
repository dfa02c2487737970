import { lstatSync, realpathSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { VesselError } from '#shared/vessel-error.ts';
import { errnoOf } from '../log.ts';

/** A path of a request, checked word by word: relative, no `..`, no NUL. `''` is the workspace itself. Throws BAD_REQUEST. */
export function checkRelativePath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (path.startsWith('/') || path.includes('\0') || parts.includes('..')) throw new VesselError('BAD_REQUEST', 'the path must stay inside the workspace');
  return parts.join('/');
}

/**
 * The absolute path of `relative`, after its folder was resolved with every link and found inside the workspace. The last
 * component is not followed. Throws BAD_REQUEST for an escape, NOT_FOUND for a missing folder.
 */
export function resolveInside(workspace: string, relative: string): string {
  const root = realpathSync(workspace);
  const clean = checkRelativePath(relative);
  if (clean === '') return root;
  const wanted = join(root, clean);
  let folder: string;
  try {
    folder = realpathSync(dirname(wanted));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') throw new VesselError('NOT_FOUND', `there is no folder for ${clean}`, { cause: error });
    throw error;
  }
  if (folder !== root && !folder.startsWith(`${root}/`)) throw new VesselError('BAD_REQUEST', 'the path leaves the workspace through a link');
  return join(folder, clean.slice(clean.lastIndexOf('/') + 1));
}

/** What is at a path, links not followed; null when nothing is. */
export function lstatOrNull(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null;
}
