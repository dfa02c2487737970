import { crc32, deflateRawSync } from 'node:zlib';

/** One entry of an archive as any program might write it; every field may lie. */
export type OddEntry = {
  readonly name: string | Buffer;
  readonly localName?: string | Buffer;
  readonly content?: string | Buffer;
  readonly deflate?: boolean;
  readonly method?: number;
  readonly flags?: number;
  /** Upper byte of "version made by": 0 DOS, 3 Unix, 10 NTFS, 19 macOS. */
  readonly madeBy?: number;
  /** st_mode of a Unix entry, type bits included. */
  readonly mode?: number;
  /** External attributes as they are, instead of `mode`. */
  readonly attributes?: number;
  readonly dosTime?: number;
  readonly dosDate?: number;
  readonly extra?: Buffer;
  readonly localExtra?: Buffer;
  readonly comment?: string;
  readonly size?: number;
  readonly compressedSize?: number;
  readonly crc?: number;
  readonly offset?: number;
  /** Sizes follow the content. */
  readonly descriptor?: boolean;
  /** All numbers in the Zip64 field. */
  readonly zip64?: boolean;
};
export type OddZip = { readonly prefix?: Buffer; /** Offsets count from the beginning of the file, prefix included. */ readonly adjusted?: boolean; readonly trailing?: Buffer; readonly comment?: string; readonly zip64?: boolean };

export const LINK_MODE = 0o120777;
const DESCRIPTOR = 0x0008;
export const UTF8 = 0x0800;

export function field(id: number, data: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(id, 0);
  head.writeUInt16LE(data.length, 2);
  return Buffer.concat([head, data]);
}

/** Info-ZIP's Unicode path: version, the plain name's CRC, the name in UTF-8. */
export function unicodePath(plain: string | Buffer, name: string | Buffer, crc = crc32(plain)): Buffer {
  const head = Buffer.alloc(5);
  head[0] = 1;
  head.writeUInt32LE(crc, 1);
  return field(0x7075, Buffer.concat([head, Buffer.from(name as string)]));
}

export function unixTime(seconds: number): Buffer {
  const data = Buffer.alloc(5);
  data[0] = 1;
  data.writeInt32LE(seconds, 1);
  return field(0x5455, data);
}

export function ntfsTime(seconds: number): Buffer {
  const data = Buffer.alloc(32);
  data.writeUInt16LE(1, 4);
  data.writeUInt16LE(24, 6);
  for (const at of [8, 16, 24]) data.writeBigUInt64LE((BigInt(seconds) + 11_644_473_600n) * 10_000_000n, at);
  return field(0x000a, data);
}

/** Writes a zip exactly as told, lies included. */
export function oddZip(entries: readonly OddEntry[], { prefix = Buffer.alloc(0), adjusted = false, trailing = Buffer.alloc(0), comment = '', zip64 = false }: OddZip = {}): Buffer {
  const parts: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = adjusted ? prefix.length : 0;
  for (const entry of entries) {
    const { local, record } = encode(entry, offset);
    parts.push(local);
    central.push(record);
    offset += local.length;
  }
  const table = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(zip64 ? 0xffff : entries.length, 8);
  end.writeUInt16LE(zip64 ? 0xffff : entries.length, 10);
  end.writeUInt32LE(zip64 ? 0xffffffff : table.length, 12);
  end.writeUInt32LE(zip64 ? 0xffffffff : offset, 16);
  end.writeUInt16LE(Buffer.byteLength(comment), 20);
  return Buffer.concat([prefix, ...parts, table, ...(zip64 ? [end64(entries.length, table.length, offset)] : []), end, Buffer.from(comment), trailing]);
}

function encode(entry: OddEntry, at: number): { readonly local: Buffer; readonly record: Buffer } {
  const name = Buffer.from(entry.name as string);
  const localName = Buffer.from((entry.localName ?? entry.name) as string);
  const content = Buffer.from((entry.content ?? '') as string);
  const data = entry.deflate === true ? deflateRawSync(content) : content;
  const size = entry.size ?? content.length;
  const compressedSize = entry.compressedSize ?? data.length;
  const crc = entry.crc ?? crc32(content);
  const wide = Buffer.alloc(24);
  [size, compressedSize, entry.offset ?? at].forEach((value, index) => wide.writeBigUInt64LE(BigInt(value), index * 8));
  const madeBy = entry.madeBy ?? 3;
  const head = Buffer.alloc(26);
  head.writeUInt16LE(entry.zip64 === true ? 45 : 20, 0);
  head.writeUInt16LE((entry.flags ?? 0) | (entry.descriptor === true ? DESCRIPTOR : 0), 2);
  head.writeUInt16LE(entry.method ?? (entry.deflate === true ? 8 : 0), 4);
  head.writeUInt16LE(entry.dosTime ?? 0, 6);
  head.writeUInt16LE(entry.dosDate ?? 0x21, 8);
  head.writeUInt32LE(crc, 10);
  head.writeUInt32LE(entry.zip64 === true ? 0xffffffff : compressedSize, 14);
  head.writeUInt32LE(entry.zip64 === true ? 0xffffffff : size, 18);
  const localHead = Buffer.from(head);
  if (entry.descriptor === true) localHead.fill(0, 10, 22);
  const localExtra = Buffer.concat([entry.zip64 === true ? field(1, wide.subarray(0, 16)) : Buffer.alloc(0), entry.localExtra ?? entry.extra ?? Buffer.alloc(0)]);
  const extra = Buffer.concat([entry.zip64 === true ? field(1, wide) : Buffer.alloc(0), entry.extra ?? Buffer.alloc(0)]);
  localHead.writeUInt16LE(localName.length, 22);
  localHead.writeUInt16LE(localExtra.length, 24);
  const descriptor = Buffer.alloc(entry.descriptor === true ? 16 : 0);
  if (entry.descriptor === true) {
    descriptor.writeUInt32LE(0x08074b50, 0);
    descriptor.writeUInt32LE(crc, 4);
    descriptor.writeUInt32LE(compressedSize, 8);
    descriptor.writeUInt32LE(size, 12);
  }
  const record = Buffer.alloc(46);
  record.writeUInt32LE(0x02014b50, 0);
  record.writeUInt16LE((madeBy << 8) | 20, 4);
  head.copy(record, 6);
  record.writeUInt16LE(name.length, 28);
  record.writeUInt16LE(extra.length, 30);
  record.writeUInt16LE(Buffer.byteLength(entry.comment ?? ''), 32);
  const mode = entry.mode ?? (name.at(-1) === 0x2f ? 0o040755 : 0o100644);
  record.writeUInt32LE(entry.attributes ?? (madeBy === 3 || madeBy === 19 ? (mode << 16) >>> 0 : 0), 38);
  record.writeUInt32LE(entry.zip64 === true ? 0xffffffff : entry.offset ?? at, 42);
  const signature = Buffer.from([0x50, 0x4b, 0x03, 0x04]);
  return { local: Buffer.concat([signature, localHead, localName, localExtra, data, descriptor]), record: Buffer.concat([record, name, extra, Buffer.from(entry.comment ?? '')]) };
}

function end64(entries: number, bytes: number, offset: number): Buffer {
  const end = Buffer.alloc(56);
  end.writeUInt32LE(0x06064b50, 0);
  end.writeBigUInt64LE(44n, 4);
  end.writeUInt16LE(45, 14);
  [entries, entries, bytes, offset].forEach((value, index) => end.writeBigUInt64LE(BigInt(value), 24 + index * 8));
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(offset + bytes), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([end, locator]);
}

/**
 * A small zip that claims gigabytes: one deflated block of zeros, wrapped in headers so that each entry's content runs through the headers
 * and the content of all later ones (David Fifield's "quoted" overlap), each checksum right.
 */
export function overlapBomb(entries: number, kernelBytes: number): Buffer {
  const kernel = deflateRawSync(Buffer.alloc(kernelBytes));
  // From the last to the first: the file is its local header, then everything behind it.
  let body = Buffer.alloc(0);
  const made: { name: Buffer; compressed: number; size: number; crc: number; length: number }[] = [];
  let inner = { bytes: kernel, content: Buffer.alloc(kernelBytes) };
  for (let index = entries - 1; index >= 0; index -= 1) {
    const name = Buffer.from(`f${index}`);
    const header = Buffer.alloc(30);
    const crc = crc32(inner.content);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt16LE(20, 4);
    header.writeUInt16LE(8, 8);
    header.writeUInt32LE(crc, 14);
    header.writeUInt32LE(inner.bytes.length, 18);
    header.writeUInt32LE(inner.content.length, 22);
    header.writeUInt16LE(name.length, 26);
    const local = Buffer.concat([header, name]);
    made.unshift({ name, compressed: inner.bytes.length, size: inner.content.length, crc, length: local.length });
    body = Buffer.concat([local, inner.bytes]);
    // A stored deflate block quotes this header for the entry before.
    const quote = Buffer.alloc(5);
    quote.writeUInt16LE(local.length, 1);
    quote.writeUInt16LE(0xffff ^ local.length, 3);
    inner = { bytes: Buffer.concat([quote, body]), content: Buffer.concat([local, inner.content]) };
  }
  let offset = 0;
  const central = made.map(({ name, compressed, size, crc, length }, index) => {
    const record = Buffer.alloc(46);
    record.writeUInt32LE(0x02014b50, 0);
    record.writeUInt16LE(20, 6);
    record.writeUInt16LE(8, 10);
    record.writeUInt32LE(crc, 16);
    record.writeUInt32LE(compressed, 20);
    record.writeUInt32LE(size, 24);
    record.writeUInt16LE(name.length, 28);
    record.writeUInt32LE(offset, 42);
    offset += length + (index < made.length - 1 ? 5 : 0);
    return Buffer.concat([record, name]);
  });
  const table = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(made.length, 8);
  end.writeUInt16LE(made.length, 10);
  end.writeUInt32LE(table.length, 12);
  end.writeUInt32LE(body.length, 16);
  return Buffer.concat([body, table, end]);
}
