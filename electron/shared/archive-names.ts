/**
 * What an entry of an archive may be called, how long its parts may be, and where it may lie. The desktop (import, save, draft) and the
 * guest's agent (open) judge by these same rules, so what one side takes the other takes too.
 *
 * `own` are the rules of a workspace: every name that Linux allows, backslashes and bytes of any encoding included. `foreign` adds what
 * holds for an archive of another system, in which a backslash or a drive letter is part of a path.
 *
 * Names are byte text: one character for each byte (latin1). Separators and dots are ASCII in every encoding that may occur, and this
 * folder knows nothing of Node's buffers.
 */
export type NameRules = 'own' | 'foreign';

/** NAME_MAX of Linux: the bytes of one part of a path. */
export const MAX_NAME_BYTES = 255;
/**
 * A path in a workspace may be longer than the 4096 bytes that one system call takes, for it can be gone step by step; so do save and open.
 * This much leaves half of what a zip's 16-bit lengths allow.
 */
export const MAX_PATH_BYTES = 32_000;
/** Folders in one another: the guest holds a descriptor for each level. */
export const MAX_DEPTH = 1000;
/** PATH_MAX without its closing zero: no link on Linux has a longer target. */
export const MAX_LINK_BYTES = 4095;

/** An entry's path without `./` and without a closing slash; the workspace itself; or why the name is refused ("Entry x …"). */
export type JudgedName =
  | { readonly verdict: 'entry'; readonly path: string; readonly isFolder: boolean }
  | { readonly verdict: 'workspace' }
  | { readonly verdict: 'refused'; readonly problem: string };

/** A drive of Windows in front of a path. */
const DRIVE = /^[A-Za-z]:/;

const refused = (problem: string): JudgedName => ({ verdict: 'refused', problem });

/** Judges one name of an archive; a closing slash makes it a folder, and parts that are only a dot mean nothing. */
export function judgeName(name: string, rules: NameRules): JudgedName {
  if (name === '') return refused('has no name');
  if (name.includes('\0')) return refused('has a zero byte in its name');
  if (name.startsWith('/')) return refused('has an absolute path');
  if (rules === 'foreign' && DRIVE.test(name)) return refused('has an absolute path');
  if (rules === 'foreign' && name.includes('\\')) return refused('has a backslash in its path');
  const isFolder = name.endsWith('/');
  const parts: string[] = [];
  for (const part of (isFolder ? name.slice(0, -1) : name).split('/')) {
    if (part === '..') return refused('leaves the workspace');
    if (part === '') return refused('has an empty part in its path');
    if (part.length > MAX_NAME_BYTES) return refused(`has a name of ${part.length} bytes; Linux allows ${MAX_NAME_BYTES}`);
    if (part !== '.') parts.push(part);
  }
  if (parts.length === 0) return { verdict: 'workspace' };
  const path = parts.join('/');
  if (parts.length > MAX_DEPTH + 1) return refused(`lies ${parts.length - 1} folders deep; at most ${MAX_DEPTH} can be opened again`);
  if (path.length > MAX_PATH_BYTES) return refused(`has a path of ${path.length} bytes; at most ${MAX_PATH_BYTES} can be opened again`);
  return { verdict: 'entry', path, isFolder: isFolder || name.endsWith('/.') };
}

/** Why a link's target (byte text) cannot be made, or null. Where it leads is another question: a link is content, and nothing here follows it. */
export function judgeTarget(target: string): string | null {
  if (target === '' || target.includes('\0')) return 'is a link to nowhere';
  return target.length > MAX_LINK_BYTES ? `is a link with a target of ${target.length} bytes; Linux allows ${MAX_LINK_BYTES}` : null;
}

/** True for a name or target that Linux takes as it is, but Windows for a path: such are never written to a disk of the desktop. */
export function isPathElsewhere(text: string): boolean { return text.includes('\\') || DRIVE.test(text); }

/** The systems in "version made by" whose paths are written with backslashes: DOS, OS/2, NTFS and VFAT (APPNOTE 4.4.2). */
const BACKSLASH_SYSTEMS: readonly number[] = [0, 6, 10, 14];

/**
 * The name as Unix writes it. Some programs of Windows separate folders by backslashes although the format says slashes; as in Info-ZIP, a
 * name without any slash whose maker is such a system is taken for one of theirs. `madeBy` is the upper byte of "version made by".
 */
export function withSlashes(name: string, madeBy: number): string {
  return BACKSLASH_SYSTEMS.includes(madeBy) && !name.includes('/') ? name.replaceAll('\\', '/') : name;
}

export type EntryKind = 'file' | 'dir' | 'link';
const TYPE = { mask: 0o170000, file: 0o100000, folder: 0o040000, link: 0o120000 } as const;

/** What an entry is by its st_mode (0 when its maker had none) and by the slash at its name's end; null when it is none of the three. */
export function kindOfEntry(mode: number, isFolder: boolean): EntryKind | null {
  const type = mode & TYPE.mask;
  if (type === TYPE.folder || (type === 0 && isFolder)) return 'dir';
  if (isFolder) return null;
  if (type === TYPE.file || type === 0) return 'file';
  return type === TYPE.link ? 'link' : null;
}

/** How a path fits to those before it; `repeated` is a folder that was named already, which harms nothing. */
export type Placed = 'new' | 'repeated' | 'twice' | 'below a file or a link';

/**
 * The paths of one archive: none comes twice, nothing lies below a file or a link. Remembers seeded 53-bit hashes instead of names, so half
 * a million entries cost 20 MB; the seed makes collisions impossible to prepare, and one in 70,000 such archives to meet.
 */
export class ArchiveTree {
  readonly #seed = crypto.getRandomValues(new Uint32Array(2));
  /** Files and links: nothing may lie below them. */
  readonly #leaves = new Set<number>();
  /** Folders, named or implied. */
  readonly #folders = new Set<number>();
  readonly #named = new Set<number>();
  #lastFolder = '';

  /** Takes the next path (byte text, as {@link judgeName} returned it). */
  add(path: string, isFolder: boolean): Placed {
    if (!this.#enterFolders(path)) return 'below a file or a link';
    const key = this.#hash(path);
    if (this.#leaves.has(key) || (!isFolder && this.#folders.has(key))) return 'twice';
    if (!isFolder) { this.#leaves.add(key); return 'new'; }
    if (this.#named.has(key)) return 'repeated';
    this.#named.add(key);
    this.#folders.add(key);
    return 'new';
  }

  /** One pass over the path, whatever its depth: the hash of each folder on the way is the running one, finished. */
  #enterFolders(path: string): boolean {
    const slash = path.lastIndexOf('/');
    const folder = slash === -1 ? '' : path.slice(0, slash);
    if (folder === this.#lastFolder || folder === '') return true;
    const state = this.#start();
    for (let index = 0; index <= folder.length; index += 1) {
      if (index === folder.length || folder[index] === '/') {
        const key = finish(state);
        if (this.#leaves.has(key)) return false;
        this.#folders.add(key);
      }
      if (index < folder.length) step(state, folder.charCodeAt(index));
    }
    this.#lastFolder = folder;
    return true;
  }

  #start(): HashState {
    return { high: 0xdeadbeef ^ (this.#seed[0] ?? 0), low: 0x41c6ce57 ^ (this.#seed[1] ?? 0) };
  }

  #hash(text: string): number {
    const state = this.#start();
    for (let index = 0; index < text.length; index += 1) step(state, text.charCodeAt(index));
    return finish(state);
  }
}

/** cyrb53, from a random start. */
type HashState = { high: number; low: number };

function step(state: HashState, character: number): void {
  state.high = Math.imul(state.high ^ character, 2654435761);
  state.low = Math.imul(state.low ^ character, 1597334677);
}

function finish({ high, low }: HashState): number {
  const upper = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  const lower = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(upper ^ (upper >>> 13), 3266489909);
  return 4294967296 * (2097151 & lower) + (upper >>> 0);
}
