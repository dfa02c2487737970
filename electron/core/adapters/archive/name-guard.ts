import { VesselError } from '#shared/errors.ts';

/** Linux refuses longer paths. */
const MAX_NAME_BYTES = 4096;

/**
 * Watches over the names of one archive: no path leaves the workspace, no name comes twice, nothing lies below a file or a
 * link. Remembers seeded 53-bit hashes instead of names, so half a million entries cost 20 MB; the seed makes collisions
 * impossible to prepare, and one in 70,000 such archives to meet.
 */
export class NameGuard {
  readonly #seed = crypto.getRandomValues(new Uint32Array(2)) as Uint32Array<ArrayBuffer>;
  /** Files and links: nothing may lie below them. */
  readonly #leaves = new Set<number>();
  /** Folders, named or implied. */
  readonly #folders = new Set<number>();
  readonly #named = new Set<number>();
  #lastFolder = '';

  /** Throws ARCHIVE_UNSAFE naming the entry. `raw` is the name in bytes; a trailing slash makes it a folder. */
  check(raw: Buffer): { readonly isFolder: boolean } {
    // One character a byte: separators and dots are ASCII in every encoding that may occur.
    const name = raw.toString('latin1');
    const isFolder = name.endsWith('/');
    const path = isFolder ? name.slice(0, -1) : name;
    const problem = problemOf(raw, path);
    if (problem !== null) throw unsafe(raw, problem);
    this.#enterFolders(raw, path);
    const key = this.#hash(path);
    if (isFolder) {
      if (this.#leaves.has(key) || this.#named.has(key)) throw unsafe(raw, 'comes twice');
      this.#named.add(key);
      this.#folders.add(key);
    } else {
      if (this.#leaves.has(key) || this.#folders.has(key)) throw unsafe(raw, 'comes twice');
      this.#leaves.add(key);
    }
    return { isFolder };
  }

  #enterFolders(raw: Buffer, path: string): void {
    const slash = path.lastIndexOf('/');
    const folder = slash === -1 ? '' : path.slice(0, slash);
    if (folder === this.#lastFolder || folder === '') return;
    for (let at = folder.indexOf('/'); ; at = folder.indexOf('/', at + 1)) {
      const key = this.#hash(at === -1 ? folder : folder.slice(0, at));
      if (this.#leaves.has(key)) throw unsafe(raw, 'lies below a file or a link');
      this.#folders.add(key);
      if (at === -1) break;
    }
    this.#lastFolder = folder;
  }

  /** cyrb53 with a random seed. */
  #hash(text: string): number {
    let high = 0xdeadbeef ^ (this.#seed[0] ?? 0);
    let low = 0x41c6ce57 ^ (this.#seed[1] ?? 0);
    for (let index = 0; index < text.length; index += 1) {
      const character = text.charCodeAt(index);
      high = Math.imul(high ^ character, 2654435761);
      low = Math.imul(low ^ character, 1597334677);
    }
    high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
    low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
    return 4294967296 * (2097151 & low) + (high >>> 0);
  }
}

function problemOf(raw: Buffer, path: string): string | null {
  if (path === '') return 'has no name';
  if (raw.length > MAX_NAME_BYTES) return 'has a name longer than a path may be';
  if (path.includes('\0')) return 'has a zero byte in its name';
  if (path.startsWith('/') || /^[A-Za-z]:[\\/]/.test(path)) return 'has an absolute path';
  for (const part of path.split('/')) {
    if (part === '..') return 'leaves the workspace';
    if (part === '.' || part === '') return 'has an empty part in its path';
  }
  return null;
}

/** Where a link inside the archive points, judged from its own folder. Throws ARCHIVE_UNSAFE when it leaves the workspace. */
export function checkLink(raw: Buffer, target: Buffer): void {
  const text = target.toString('latin1');
  if (text === '' || text.includes('\0')) throw unsafe(raw, 'is a link to nowhere');
  if (text.startsWith('/') || /^[A-Za-z]:[\\/]/.test(text)) throw unsafe(raw, 'is a link to an absolute path');
  let depth = raw.toString('latin1').split('/').length - 1;
  for (const part of text.split('/')) {
    if (part === '..') depth -= 1;
    else if (part !== '' && part !== '.') depth += 1;
    if (depth < 0) throw unsafe(raw, 'is a link that leaves the workspace');
  }
}

export function unsafe(raw: Buffer, problem: string): VesselError {
  const entry = displayName(raw);
  return new VesselError('ARCHIVE_UNSAFE', `Entry "${entry}" ${problem}`, { details: { entry, problem } });
}

/** A name that is safe to show: no control characters, not endless. */
export function displayName(raw: Buffer): string {
  const text = raw.toString('utf8').replace(/[\u0000-\u001f\u007f]/g, '\ufffd');
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
