import { lstat, mkdir, readlink, rm, rmdir, symlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import { readFileOrNull, writeFileAtomic } from '../../system/atomic-file.ts';
import { errnoOf } from '../../system/errno.ts';
import type { Journal } from '../journal.ts';

/** A file, a link or a folder that a step keeps in the host's own places. */
export type ManagedPath =
  | { readonly kind: 'file'; readonly path: string; readonly text: string; readonly mode: number }
  | { readonly kind: 'link'; readonly path: string; readonly to: string };

export type PathState = 'right' | 'missing' | 'foreign';

/** `foreign`: something is there that this step did not make; it is never overwritten. `ours` are paths that the journal names. */
export async function stateOf(wanted: ManagedPath, ours: ReadonlySet<string>): Promise<PathState> {
  const found = wanted.kind === 'file' ? await readFileOrNull(wanted.path) : await linkTarget(wanted.path);
  if (found === null) return 'missing';
  if (found === (wanted.kind === 'file' ? wanted.text : wanted.to)) return 'right';
  return ours.has(wanted.path) ? 'missing' : 'foreign';
}

/** Makes a path with the folders on its way; each is journaled before it is made. Throws CONFLICT where something foreign is. */
export async function place(step: string, wanted: ManagedPath, journal: Journal): Promise<void> {
  const ours = await placedBy(step, journal);
  const state = await stateOf(wanted, ours);
  if (state === 'right') return;
  if (state === 'foreign') throw new VesselError('CONFLICT', `${wanted.path} is there already and not Vessel's`, { retryable: false, hint: 'Move it away or remove it, then provision again.' });
  for (const folder of await missingParents(wanted.path)) {
    await journal.record(step, folder);
    await mkdir(folder, { mode: 0o755 });
  }
  if (!ours.has(wanted.path)) await journal.record(step, wanted.path);
  if (wanted.kind === 'file') return writeFileAtomic(wanted.path, wanted.text, { mode: wanted.mode, durable: true });
  await rm(wanted.path, { force: true });
  await symlink(wanted.to, wanted.path);
}

/** Takes a journaled path away: a file or link, or a folder that is empty by now. Resolves to why it stays, or null. */
export async function takeAway(path: string): Promise<string | null> {
  try {
    if ((await lstat(path)).isDirectory()) await rmdir(path);
    else await rm(path);
    return null;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    if (errnoOf(error) === 'ENOTEMPTY') return 'something else is in it';
    throw error;
  }
}

export async function placedBy(step: string, journal: Journal): Promise<ReadonlySet<string>> {
  return new Set((await journal.standing()).filter((entry) => entry.step === step).map(({ item }) => item));
}

async function linkTarget(path: string): Promise<string | null> {
  try {
    return await readlink(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    if (errnoOf(error) === 'EINVAL') return ''; // it is there, but no link
    throw error;
  }
}

async function missingParents(path: string): Promise<readonly string[]> {
  const parent = dirname(path);
  try {
    await lstat(parent);
    return [];
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return [...await missingParents(parent), parent];
  }
}
