import { readdirSync, readFileSync, type Dirent } from 'node:fs';
import type { ExcludeConfig } from '#shared/archive-rules.ts';
import { FolderExcluder, IGNORE_FILE } from '#shared/exclude/excluder.ts';
import { GIT_ENTRY } from '#shared/exclude/git-tracked.ts';
import type { EntryKind } from '#shared/exclude/presets.ts';
import { trackedIn } from './git-files.ts';
import { joinRaw, showPath, type RawPath } from './paths.ts';

export type FolderEntry = { readonly name: RawPath; readonly kind: EntryKind };
export type FolderList = { readonly entries: readonly FolderEntry[]; readonly excluder: FolderExcluder };

/** mkfs makes it when the workspace is a file system of its own. */
export const LOST_AND_FOUND = 'lost+found';

/** What a decoder puts in place of bytes that are not UTF-8. */
const REPLACEMENT = '\ufffd';

const kindOf = (entry: Dirent<string> | Dirent<Buffer>): EntryKind =>
  entry.isFile() ? 'file' : entry.isDirectory() ? 'dir' : entry.isSymbolicLink() ? 'link' : 'other';

/** The entries of a folder in a fixed order. Throws the file system's error. */
function readEntries(path: RawPath): FolderEntry[] {
  const entries = readdirSync(path as string, { withFileTypes: true });
  if (!entries.some(({ name }) => name.includes(REPLACEMENT))) {
    return entries.map((entry): FolderEntry => ({ name: entry.name, kind: kindOf(entry) })).sort((a, b) => ((a.name as string) < (b.name as string) ? -1 : 1));
  }
  // Some name is not UTF-8 (or really holds U+FFFD): once more as bytes.
  return readdirSync(path as string, { withFileTypes: true, encoding: 'buffer' })
    .sort((a, b) => Buffer.compare(a.name, b.name))
    .map((entry): FolderEntry => {
      const text = entry.name.toString('utf8');
      return { name: Buffer.from(text).equals(entry.name) ? text : entry.name, kind: kindOf(entry) };
    });
}

/** A folder to list: `path` leads there however deep it lies, `real` from the workspace (Git's own files name others relative to it), `relative` as rules see it. */
export type FolderPlace = { readonly path: RawPath; readonly real: RawPath; readonly relative: string };

/** Lists a folder and prepares the rules for it. */
export function listFolder({ path, real, relative }: FolderPlace, parent: FolderExcluder | null, config: ExcludeConfig): FolderList {
  const entries = readEntries(path);
  const names = new Set<string>();
  for (const { name } of entries) names.add(showPath(name));
  const hasIgnoreFile = entries.some(({ name, kind }) => name === IGNORE_FILE && kind === 'file');
  const view = { path: relative, names, ignoreFile: hasIgnoreFile ? readFileSync(joinRaw(path, IGNORE_FILE), 'utf8') : null, tracked: names.has(GIT_ENTRY) ? () => trackedIn(real) : null };
  return { entries, excluder: parent === null ? FolderExcluder.root(config, view) : parent.child(view) };
}

/** Names inside a folder for rules that ask; none when it cannot be read. */
export function childNames(path: RawPath): readonly string[] {
  try {
    return readdirSync(path as string);
  } catch {
    // Unreadable or gone: no rule can claim to know what is inside.
    return [];
  }
}
