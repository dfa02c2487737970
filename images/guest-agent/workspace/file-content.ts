import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, unlinkSync, writeSync, type Stats } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { VesselError } from '#shared/vessel-error.ts';
import { showPath, type RawPath } from './paths.ts';

/** A file up to this size is read in one go, so its CRC is known before its header is written. */
const WHOLE_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;
/** Up to this size one read() is as good as atomic, and the second fstat is not worth its system call. */
const ATOMIC_BYTES = 16 * 1024;
/** A large file touched this recently may be changing right now: it is copied first. */
const HOT_MS = 3000;

const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A file's content, pinned: `stream` hands over exactly `size` bytes whose CRC is `crc`. */
export type PinnedFile = {
  readonly stat: Stats;
  readonly size: number;
  readonly crc: number;
  /** It changed while it was read, twice: what is here is one read of it. */
  readonly changed: boolean;
  stream(write: (data: Buffer) => void): void;
};

const sameStat = (a: Stats, b: Stats): boolean => a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs;

/** Reads `length` bytes or up to the end of the file. Returns how many came. */
function readUpTo(fd: number, buffer: Buffer, length: number, position: number): number {
  let done = 0;
  while (done < length) {
    const count = readSync(fd, buffer, done, length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** Reads files for a save with buffers that are used again. */
export class FileReader {
  #buffer: Buffer = Buffer.allocUnsafeSlow(256 * 1024);
  readonly #still: boolean;

  /** `still`: the file system is frozen, so no file is being written, and a private copy could not be made either. */
  constructor(still: boolean) {
    this.#still = still;
  }

  #room(bytes: number): Buffer {
    if (this.#buffer.length < bytes) this.#buffer = Buffer.allocUnsafeSlow(Math.min(WHOLE_BYTES + 1, Math.max(bytes, this.#buffer.length * 2)));
    return this.#buffer;
  }

  /**
   * Opens and pins a file. `use` gets it while it is open; its stream is valid only there. Returns what `use` returns, or null when the
   * thing is no regular file any more. Throws the file system's error.
   */
  withFile<T>(path: RawPath, use: (file: PinnedFile) => T): T | null {
    const fd = openSync(path, OPEN_FLAGS);
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile()) return null;
      return stat.size <= WHOLE_BYTES ? this.#whole(fd, stat, use) : this.#large(fd, stat, path, use);
    } finally {
      closeSync(fd);
    }
  }

  #whole<T>(fd: number, first: Stats, use: (file: PinnedFile) => T): T {
    let stat = first;
    for (let attempt = 0; ; attempt += 1) {
      const wanted = Math.min(stat.size, WHOLE_BYTES);
      const buffer = this.#room(wanted + 1);
      // One byte more than expected tells whether it grew; for an ordinary file this is a single read().
      let count = readSync(fd, buffer, 0, wanted + 1, 0);
      if (count < wanted && count > 0) count += readUpTo(fd, buffer.subarray(count), wanted - count, count);
      const suspicious = count !== stat.size || stat.size > ATOMIC_BYTES;
      const after = suspicious ? fstatSync(fd) : stat;
      const changed = count !== stat.size || (suspicious && !sameStat(stat, after));
      if (changed && attempt === 0) {
        stat = after;
        continue;
      }
      const content = buffer.subarray(0, Math.min(count, wanted));
      return use({ stat: after, size: content.length, crc: crc32(content), changed, stream: (write) => { if (content.length > 0) write(content); } });
    }
  }

  #large<T>(fd: number, stat: Stats, path: RawPath, use: (file: PinnedFile) => T): T {
    const isHot = !this.#still && Date.now() - Math.max(stat.mtimeMs, stat.ctimeMs) < HOT_MS;
    if (!isHot) {
      const first = this.#scan(fd, stat.size, () => undefined);
      if (first.size === stat.size && sameStat(stat, fstatSync(fd))) {
        return use({
          stat, size: first.size, crc: first.crc, changed: false,
          stream: (write) => {
            const second = this.#scan(fd, first.size, write);
            // Its header is out already, so this archive cannot be right; the next save finds the file hot and copies it.
            if (second.crc !== first.crc || second.size !== first.size) throw new VesselError('CONFLICT', `${JSON.stringify(showPath(path))} changed while it was saved`, { details: { path: showPath(path) } });
          },
        });
      }
    }
    return this.#copied(fd, use);
  }

  /** Pins a file that is being written to: a private copy is made first, twice at most. */
  #copied<T>(fd: number, use: (file: PinnedFile) => T): T {
    const name = join(tmpdir(), `vessel-pin-${randomUUID()}`);
    const copy = openSync(name, 'wx+', 0o600);
    unlinkSync(name);
    try {
      for (let attempt = 0; ; attempt += 1) {
        const before = fstatSync(fd);
        let at = 0;
        ftruncateSync(copy, 0);
        const { size, crc } = this.#scan(fd, before.size, (data) => {
          for (let done = 0; done < data.length;) done += writeSync(copy, data, done, data.length - done, at + done);
          at += data.length;
        });
        const changed = !sameStat(before, fstatSync(fd));
        if (changed && attempt === 0) continue;
        return use({ stat: before, size, crc, changed, stream: (write) => { this.#scan(copy, size, write); } });
      }
    } finally {
      closeSync(copy);
    }
  }

  #scan(fd: number, length: number, write: (data: Buffer) => void): { readonly size: number; readonly crc: number } {
    const buffer = this.#room(CHUNK_BYTES);
    let size = 0;
    let crc = 0;
    while (size < length) {
      const count = readSync(fd, buffer, 0, Math.min(CHUNK_BYTES, length - size), size);
      if (count === 0) break;
      const data = buffer.subarray(0, count);
      crc = crc32(data, crc);
      write(data);
      size += count;
    }
    return { size, crc };
  }
}
