import type { FileHandle } from 'node:fs/promises';
import type { EntryAttributes, Owner } from '#shared/archive-fields.ts';
import { VesselError } from '#shared/errors.ts';
import { displayName } from './name-guard.ts';
import { CENTRAL_BYTES, centralLength, END64_BYTES, END_BYTES, FLAG, LOCATOR64_BYTES, readExtra, SIGNATURE, U16, U32 } from './zip-format.ts';

/** One record of the central directory; `name` is a part of the directory's own bytes. */
export type Central = { readonly name: Buffer; readonly utf8: boolean; readonly method: number; readonly crc: number; readonly compressedSize: number; readonly size: number; readonly mtime: number; readonly offset: number; readonly mode: number; readonly owner: Owner | null; readonly attributes: EntryAttributes };
export type Directory = { readonly entries: number; readonly bytes: Buffer };

/** The central directory; Vessel writes no comment, so the end record is exactly the end of the file. */
export async function readDirectory(file: FileHandle): Promise<Directory> {
  const { size } = await file.stat();
  if (size < END_BYTES) throw corrupt('it is too short');
  const end = await readAt(file, size - END_BYTES, END_BYTES);
  if (end.readUInt32LE(0) !== SIGNATURE.end) throw corrupt('its end is missing');
  let entries = end.readUInt16LE(10);
  let length = end.readUInt32LE(12);
  let offset = end.readUInt32LE(16);
  if (entries === U16 || length === U32 || offset === U32) {
    const end64 = await readAt(file, size - END_BYTES - LOCATOR64_BYTES - END64_BYTES, END64_BYTES);
    if (end64.readUInt32LE(0) !== SIGNATURE.end64) throw corrupt('its Zip64 end is missing');
    entries = Number(end64.readBigUInt64LE(32));
    length = Number(end64.readBigUInt64LE(40));
    offset = Number(end64.readBigUInt64LE(48));
  }
  if (offset + length > size) throw corrupt('its directory lies outside of it');
  return { entries, bytes: await readAt(file, offset, length) };
}

/** The record that starts at `at`. Throws ARCHIVE_CORRUPT. */
export function readCentral(bytes: Buffer, at: number): Central {
  if (at + CENTRAL_BYTES > bytes.length || bytes.readUInt32LE(at) !== SIGNATURE.central || at + centralLength(bytes, at) > bytes.length) throw corrupt('its directory is incomplete');
  const nameEnd = at + CENTRAL_BYTES + bytes.readUInt16LE(at + 28);
  const name = bytes.subarray(at + CENTRAL_BYTES, nameEnd);
  const extra = readExtra(bytes.subarray(nameEnd, nameEnd + bytes.readUInt16LE(at + 30)));
  if (extra === null) throw corrupt(`entry "${displayName(name)}" has a malformed extra field`);
  const wide = [...extra.wide];
  const number = (position: number): number => { const value = bytes.readUInt32LE(at + position); return value === U32 ? wide.shift() ?? value : value; };
  // In this order: it is the order of the Zip64 field.
  const size = number(24);
  const compressedSize = number(20);
  const offset = number(42);
  return {
    name, utf8: (bytes.readUInt16LE(at + 8) & FLAG.utf8) !== 0, method: bytes.readUInt16LE(at + 10), crc: bytes.readUInt32LE(at + 16),
    size, compressedSize, offset, mtime: extra.mtime ?? 0, mode: bytes.readUInt32LE(at + 38) >>> 16,
    owner: extra.owner, attributes: extra.attributes,
  };
}

/** Exactly `length` bytes. Throws ARCHIVE_CORRUPT when the file ends before. */
export async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  if (position < 0) throw corrupt('it is too short');
  const bytes = Buffer.alloc(length);
  for (let have = 0; have < length;) {
    const { bytesRead } = await file.read(bytes, have, length - have, position + have);
    if (bytesRead === 0) throw corrupt('it is too short');
    have += bytesRead;
  }
  return bytes;
}

export function corrupt(problem: string): VesselError { return new VesselError('ARCHIVE_CORRUPT', `The archive is damaged: ${problem}`); }

/** zlib's complaints are about the archive, not defects of Vessel. */
export function archiveError(error: unknown): VesselError {
  const known = VesselError.from(error);
  return known.code === 'INTERNAL' ? new VesselError('ARCHIVE_CORRUPT', `The archive is damaged: ${known.message}`, { cause: error }) : known;
}
