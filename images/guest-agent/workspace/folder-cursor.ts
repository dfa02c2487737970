import { closeSync, constants, openSync } from 'node:fs';
import type { RawPath } from './paths.ts';

const OPEN_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * A place in a tree, held by one descriptor a level; the process's working directory follows it, so every call takes a bare name. No link is ever
 * followed on the way, however the tree changes meanwhile, and a path may be longer than the 4096 bytes that one call takes. Costs less than
 * absolute paths when many entries share a folder. One at a time in a process, and only where calls block: the working directory is the process's.
 */
export class FolderCursor {
  readonly #before = process.cwd();
  readonly #fds: number[] = [];
  /** Names on the way from the root, as latin1: one character a byte. */
  readonly #names: string[] = [];
  #key = '';

  /** Throws the file system's error when `root` is no folder. */
  constructor(root: string) {
    this.#push(openSync(root, constants.O_RDONLY | constants.O_DIRECTORY));
  }

  #push(fd: number): void {
    this.#fds.push(fd);
    process.chdir(`/proc/self/fd/${fd}`);
  }

  get depth(): number {
    return this.#names.length;
  }

  /** A path of this folder that stays right while the cursor is in it or below, however deep: for what looks into it later. */
  get here(): string {
    return `/proc/self/fd/${this.#fds.at(-1) ?? -1}`;
  }

  /** Into a folder of this one. Throws ELOOP or ENOTDIR for anything but a folder. */
  down(name: RawPath): void {
    this.#push(openSync(name, OPEN_FLAGS));
    this.#names.push(typeof name === 'string' ? Buffer.from(name).toString('latin1') : name.toString('latin1'));
    this.#key = this.#names.join('/');
  }

  up(): void {
    const fd = this.#fds.pop();
    this.#names.pop();
    this.#key = this.#names.join('/');
    process.chdir(`/proc/self/fd/${this.#fds.at(-1) ?? -1}`);
    if (fd !== undefined) closeSync(fd);
  }

  /** To the folder `key`: its path from the root as latin1 text, '' for the root itself. */
  enter(key: string): void {
    if (key === this.#key) return;
    const parts = key === '' ? [] : key.split('/');
    let common = 0;
    while (common < parts.length && parts[common] === this.#names[common]) common += 1;
    while (this.#names.length > common) this.up();
    for (const part of parts.slice(common)) this.down(Buffer.from(part, 'latin1'));
  }

  /** Lets go of everything; the working directory is what it was before. */
  close(): void {
    process.chdir(this.#before);
    for (const fd of this.#fds.splice(0)) closeSync(fd);
  }
}

/** The last part of a latin1 key, and the folder it lies in. */
export function splitKey(key: string): { readonly folder: string; readonly name: Buffer } {
  const slash = key.lastIndexOf('/');
  return { folder: slash < 0 ? '' : key.slice(0, slash), name: Buffer.from(key.slice(slash + 1), 'latin1') };
}
