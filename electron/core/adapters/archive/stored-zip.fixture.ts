import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import type { WorkspaceOutSummary } from '#shared/guest-protocol.ts';
import { centralRecord, endOfArchive, FILE_TYPE, FLAG, localHeader, METHOD, setMode, type EntryRecord } from './zip-format.ts';

export type FixtureEntry = { readonly name: string | Buffer; readonly data?: Buffer | string; readonly mode?: number; readonly mtime?: number };

/** A stored zip as a guest's agent sends it; `harm` may damage records on the way. */
export function storedZip(entries: readonly FixtureEntry[], harm: { readonly local?: (record: EntryRecord, index: number) => EntryRecord; readonly central?: (record: EntryRecord, index: number) => EntryRecord } = {}): Buffer {
  const parts: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  entries.forEach((entry, index) => {
    const name = Buffer.isBuffer(entry.name) ? entry.name : Buffer.from(entry.name);
    const data = Buffer.from(entry.data ?? '');
    const folder = name.at(-1) === 0x2f;
    const record: EntryRecord = { name, flags: FLAG.utf8, method: METHOD.stored, crc: crc32(data), compressedSize: data.length, size: data.length, mtime: entry.mtime ?? 1_700_000_000, offset };
    const local = Buffer.concat([localHeader(harm.local?.(record, index) ?? record, false), data]);
    const bytes = centralRecord(harm.central?.(record, index) ?? record);
    setMode(bytes, 0, entry.mode ?? (folder ? FILE_TYPE.folder | 0o755 : FILE_TYPE.file | 0o644));
    parts.push(local);
    central.push(bytes);
    offset += local.length;
  });
  const directory = Buffer.concat(central);
  return Buffer.concat([...parts, directory, endOfArchive(entries.length, offset, directory.length)]);
}

/** The bytes in chunks of a size that splits headers anywhere. */
export function inChunks(bytes: Buffer, size = 1013): Readable {
  return Readable.from((function* () { for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size); })(), { objectMode: false });
}

export function summaryOf(entries: number): WorkspaceOutSummary {
  return { entries, files: entries, contentBytes: 0, leftOut: [], changedWhileReading: [], changeCounter: 1 };
}
