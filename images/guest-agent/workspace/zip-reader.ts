import { readSync } from 'node:fs';
import { constants, createInflateRaw, crc32, inflateRawSync } from 'node:zlib';
import { SPARSE_FRAME_BYTES } from '#shared/archive-fields.ts';
import { crc32Zeros } from '#shared/crc32-zeros.ts';
import { VesselError } from '#shared/vessel-error.ts';
import { readFully, type ZipEntry } from './central-directory.ts';
import { showPath } from './paths.ts';
import * as zip from './zip-format.ts';

/** One read of this size serves hundreds of small files. */
const WINDOW_BYTES = 1024 * 1024;
/** Content up to this size is held in memory whole. */
export const WHOLE_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;

/** Reads entries' content out of an archive, fast when they are asked for in archive order. */
export class ZipReader {
  readonly #fd: number;
  readonly #fileBytes: number;
  readonly #window = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  #start = 0;
  #end = 0;

  constructor(fd: number, fileBytes: number) {
    this.#fd = fd;
    this.#fileBytes = fileBytes;
  }

  /** Bytes of the archive; valid until the next call when they come from the window. */
  #view(offset: number, length: number): Buffer {
    if (offset + length > this.#fileBytes) throw new VesselError('ARCHIVE_CORRUPT', 'the archive ends too early');
    if (length > WINDOW_BYTES) {
      const own = Buffer.allocUnsafe(length);
      readFully(this.#fd, own, offset);
      return own;
    }
    if (offset < this.#start || offset + length > this.#end) {
      const want = Math.min(WINDOW_BYTES, this.#fileBytes - offset);
      readFully(this.#fd, this.#window.subarray(0, want), offset);
      this.#start = offset;
      this.#end = offset + want;
    }
    return this.#window.subarray(offset - this.#start, offset - this.#start + length);
  }

  /** Where the entry's data begin. Throws ARCHIVE_CORRUPT when the local header tells another story than the central directory. */
  #dataOffset(entry: ZipEntry): number {
    const header = this.#view(entry.offset, zip.LOCAL_BYTES + entry.nameBytes.length);
    const same = header.readUInt32LE(0) === zip.LOCAL_SIGNATURE && header.readUInt16LE(8) === entry.method
      && header.readUInt16LE(26) === entry.nameBytes.length && entry.nameBytes.equals(header.subarray(zip.LOCAL_BYTES));
    if (!same) throw this.#corrupt(entry, 'has two different headers');
    return entry.offset + zip.LOCAL_BYTES + entry.nameBytes.length + header.readUInt16LE(28);
  }

  #corrupt(entry: ZipEntry, why: string): VesselError {
    return new VesselError('ARCHIVE_CORRUPT', `${JSON.stringify(showPath(entry.name))} ${why}`, { details: { entry: showPath(entry.name), why } });
  }

  /** The content of an entry of at most WHOLE_BYTES, checked; valid until the next call. Throws ARCHIVE_CORRUPT. */
  whole(entry: ZipEntry): Buffer {
    const data = this.#view(this.#dataOffset(entry), entry.compressedSize);
    let content: Buffer;
    if (entry.method === zip.METHOD_STORED) {
      content = data;
    } else {
      try {
        content = inflateRawSync(data, { maxOutputLength: Math.max(entry.size, 1), chunkSize: Math.max(entry.size, constants.Z_MIN_CHUNK) });
      } catch (error) {
        throw this.#corrupt(entry, `cannot be unpacked: ${(error as Error).message}`);
      }
    }
    if (content.length !== entry.size) throw this.#corrupt(entry, 'is not as long as declared');
    if (crc32(content) !== entry.crc) throw this.#corrupt(entry, 'does not match its checksum');
    return content;
  }

  /** Hands the content of an entry of any size to `write`, piece by piece; the check of size and checksum comes last. Throws ARCHIVE_CORRUPT. */
  async stream(entry: ZipEntry, write: (chunk: Buffer) => void): Promise<void> {
    let crc = 0;
    let size = 0;
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > entry.size) throw this.#corrupt(entry, 'holds more than it declares');
      crc = crc32(chunk, crc);
      write(chunk);
    };
    const offset = this.#dataOffset(entry);
    if (offset + entry.compressedSize > this.#fileBytes) throw this.#corrupt(entry, 'lies outside the archive');
    if (entry.method === zip.METHOD_STORED) for (const chunk of this.#pieces(offset, entry.compressedSize)) take(chunk);
    else await this.#inflate(entry, offset, take);
    if (size !== entry.size) throw this.#corrupt(entry, 'is not as long as declared');
    if (crc !== entry.crc) throw this.#corrupt(entry, 'does not match its checksum');
  }

  /**
   * Hands over the content of an entry that came in frames: data with its position; what lies between is zeros. The check comes last.
   * Throws ARCHIVE_CORRUPT.
   */
  frames(entry: ZipEntry, write: (data: Buffer, position: number) => void): void {
    const offset = this.#dataOffset(entry);
    const end = offset + entry.compressedSize;
    if (end > this.#fileBytes) throw this.#corrupt(entry, 'lies outside the archive');
    let crc = 0;
    let position = 0;
    for (let at = offset; at < end;) {
      if (at + SPARSE_FRAME_BYTES > end) throw this.#corrupt(entry, 'ends within a frame');
      const head = this.#view(at, SPARSE_FRAME_BYTES);
      const zeros = Number(head.readBigUInt64LE(0));
      const length = head.readUInt32LE(8);
      at += SPARSE_FRAME_BYTES;
      if (!Number.isSafeInteger(zeros) || position + zeros + length > entry.size || at + length > end) throw this.#corrupt(entry, 'holds more than it declares');
      if (zeros > 0) crc = crc32Zeros(crc, zeros);
      position += zeros;
      for (const stop = at + length; at < stop;) {
        const data = this.#view(at, Math.min(CHUNK_BYTES, stop - at));
        crc = crc32(data, crc);
        write(data, position);
        position += data.length;
        at += data.length;
      }
    }
    if (position !== entry.size) throw this.#corrupt(entry, 'is not as long as declared');
    if (crc !== entry.crc) throw this.#corrupt(entry, 'does not match its checksum');
  }

  * #pieces(offset: number, length: number): Generator<Buffer> {
    for (let done = 0; done < length;) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, length - done));
      const count = readSync(this.#fd, chunk, 0, chunk.length, offset + done);
      if (count === 0) throw new VesselError('ARCHIVE_CORRUPT', 'the archive ends too early');
      done += count;
      yield chunk.subarray(0, count);
    }
  }

  async #inflate(entry: ZipEntry, offset: number, take: (chunk: Buffer) => void): Promise<void> {
    const inflate = createInflateRaw({ chunkSize: CHUNK_BYTES });
    const feed = async (): Promise<void> => {
      for (const chunk of this.#pieces(offset, entry.compressedSize)) {
        if (inflate.destroyed) return;
        if (!inflate.write(chunk)) await new Promise<void>((resolve) => { inflate.once('drain', resolve).once('close', resolve); });
      }
      inflate.end();
    };
    const fed = feed();
    try {
      for await (const chunk of inflate as AsyncIterable<Buffer>) take(chunk);
    } catch (error) {
      throw error instanceof VesselError ? error : this.#corrupt(entry, `cannot be unpacked: ${(error as Error).message}`);
    } finally {
      inflate.destroy();
      await fed;
    }
  }
}
