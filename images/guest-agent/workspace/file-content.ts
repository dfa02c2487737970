import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync, type Stats } from 'node:fs';
import { crc32 } from 'node:zlib';
import { SPARSE_FRAME_BYTES } from '#shared/archive-fields.ts';
import { crc32Zeros } from '#shared/crc32-zeros.ts';
import { VesselError } from '#shared/vessel-error.ts';
import { openScratch, type Extent } from './perl-helper.ts';
import { showPath, type RawPath } from './paths.ts';

/** A file up to this size is read in one go, so its CRC is known before its header is written. */
const WHOLE_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;
/** Up to this size one read() is as good as atomic, and the second fstat is not worth its system call. */
const ATOMIC_BYTES = 16 * 1024;
/** A large file touched this recently may be changing right now: it is copied first. */
const HOT_MS = 3000;

const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A file's content, pinned: `stream` hands over exactly `size` bytes whose CRC is `crc`, or frames of them (see METHOD_SPARSE). */
export type PinnedFile = {
  readonly stat: Stats;
  readonly size: number;
  readonly crc: number;
  /** How many bytes of frames `stream` hands over when the file has holes; null: it hands over the content itself. */
  readonly framedBytes: number | null;
  /** It changed while it was read, twice: what is here is one read of it. */
  readonly changed: boolean;
  stream(write: (data: Buffer) => void): void;
};

/** Where a file with holes has its data, and what it looked like when it was asked. */
export type DataMap = { readonly seen: Stats; readonly extents: readonly Extent[] };

/** Zeros that are not read, then data that is. */
type Stretch = { readonly zeros: number; readonly offset: number; readonly length: number };

const sameStat = (a: Stats, b: Stats): boolean => a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs && a.ino === b.ino;

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

/** A file without holes in pieces of the buffer's size. */
function* denseStretches(size: number): Generator<Stretch> {
  for (let offset = 0; offset < size; offset += CHUNK_BYTES) yield { zeros: 0, offset, length: Math.min(CHUNK_BYTES, size - offset) };
}

function sparseStretches(extents: readonly Extent[], size: number): readonly Stretch[] {
  const stretches: Stretch[] = [];
  let end = 0;
  for (const { offset, length } of extents) {
    for (let at = offset; at < Math.min(size, offset + length);) {
      const bytes = Math.min(CHUNK_BYTES, offset + length - at, size - at);
      stretches.push({ zeros: at - end, offset: at, length: bytes });
      at += bytes;
      end = at;
    }
  }
  if (end < size) stretches.push({ zeros: size - end, offset: size, length: 0 });
  return stretches;
}

const framed = (stretches: readonly Stretch[]): number => stretches.reduce((bytes, { length }) => bytes + SPARSE_FRAME_BYTES + length, 0);

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
   * Opens and pins a file; `map` tells where one with holes has data. `use` gets it while it is open; its stream is valid only there. Returns
   * what `use` returns, or null when the thing is no regular file any more. Throws the file system's error.
   */
  withFile<T>(name: RawPath, path: RawPath, map: DataMap | null, use: (file: PinnedFile) => T): T | null {
    const fd = openSync(name, OPEN_FLAGS);
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile()) return null;
      // A map of what the file was is no map of what it is.
      const extents = map !== null && sameStat(map.seen, stat) ? map.extents : null;
      return extents === null && stat.size <= WHOLE_BYTES ? this.#whole(fd, stat, use) : this.#large(fd, stat, path, extents, use);
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
      return use({ stat: after, size: content.length, crc: crc32(content), framedBytes: null, changed, stream: (write) => { if (content.length > 0) write(content); } });
    }
  }

  #large<T>(fd: number, stat: Stats, path: RawPath, extents: readonly Extent[] | null, use: (file: PinnedFile) => T): T {
    const isHot = !this.#still && Date.now() - Math.max(stat.mtimeMs, stat.ctimeMs) < HOT_MS;
    const sparse = extents === null ? null : sparseStretches(extents, stat.size);
    if (!isHot) {
      const first = this.#scan(fd, sparse ?? denseStretches(stat.size), () => undefined);
      if (first.size === stat.size && sameStat(stat, fstatSync(fd))) {
        return use({
          stat, size: first.size, crc: first.crc, framedBytes: sparse === null ? null : framed(sparse), changed: false,
          stream: (write) => {
            const second = this.#scan(fd, sparse ?? denseStretches(first.size), sparse === null ? write : inFrames(write));
            // Its header is out already, so this archive cannot be right; the next save finds the file hot and copies it.
            if (second.crc !== first.crc || second.size !== first.size) throw new VesselError('CONFLICT', `${JSON.stringify(showPath(path))} changed while it was saved`, { details: { path: showPath(path) } });
          },
        });
      }
    }
    return this.#copied(fd, stat, sparse, use);
  }

  /** Pins a file that is being written to: a private copy is made first, twice at most. Its holes are known only while it has not changed. */
  #copied<T>(fd: number, seen: Stats, sparse: readonly Stretch[] | null, use: (file: PinnedFile) => T): T {
    // A disk that is held still takes no copy.
    const copy = openScratch(this.#still ? 'memory' : 'disk');
    try {
      for (let attempt = 0; ; attempt += 1) {
        const before = fstatSync(fd);
        const map = sparse !== null && sameStat(seen, before) ? sparse : null;
        ftruncateSync(copy, 0);
        const { size, crc } = this.#scan(fd, map ?? denseStretches(before.size), (data, { offset }) => {
          for (let done = 0; done < data.length;) done += writeSync(copy, data, done, data.length - done, offset + done);
        });
        ftruncateSync(copy, size);
        const changed = !sameStat(before, fstatSync(fd));
        if (changed && attempt === 0) continue;
        const usable = map !== null && size === before.size ? map : null;
        return use({
          stat: before, size, crc, framedBytes: usable === null ? null : framed(usable), changed,
          stream: (write) => { this.#scan(copy, usable ?? denseStretches(size), usable === null ? write : inFrames(write)); },
        });
      }
    } finally {
      closeSync(copy);
    }
  }

  /** Reads stretch after stretch up to the end of the file. */
  #scan(fd: number, stretches: Iterable<Stretch>, write: (data: Buffer, stretch: Stretch) => void): { readonly size: number; readonly crc: number } {
    const buffer = this.#room(CHUNK_BYTES);
    let size = 0;
    let crc = 0;
    for (const stretch of stretches) {
      const count = readUpTo(fd, buffer, stretch.length, stretch.offset);
      const data = buffer.subarray(0, count);
      crc = crc32(data, stretch.zeros === 0 ? crc : crc32Zeros(crc, stretch.zeros));
      write(data, stretch);
      size = stretch.offset + count;
      if (count < stretch.length) break;
    }
    return { size, crc };
  }
}

/** Puts a frame's head before each stretch. */
function inFrames(write: (data: Buffer) => void): (data: Buffer, stretch: Stretch) => void {
  return (data, { zeros }) => {
    const head = Buffer.allocUnsafe(SPARSE_FRAME_BYTES);
    head.writeBigUInt64LE(BigInt(zeros), 0);
    head.writeUInt32LE(data.length, 8);
    write(head);
    if (data.length > 0) write(data);
  };
}
