/**
 * What a zip entry of Vessel's own archives says beyond the format's fixed fields, in extra fields that any other program may skip [APPNOTE 4.5].
 *
 * - 0x7875 (Info-ZIP "ux"): user and group, in the local header and the central directory.
 * - 0x6c76 ({@link EXTRA_VESSEL}), central directory only: a version byte (1), then items of a tag byte, a 16-bit length and data:
 *   `m` the time of change in microseconds since 1970 as a signed 64-bit number; `s` the file has holes: runs of zero blocks take no disk space;
 *   `h` a 32-bit number that all names of one file share (hard links); `x` an extended attribute: length of its name (8 bits), name, value.
 *
 * All numbers are little-endian.
 */
export const EXTRA_OWNER = 0x7875;
export const EXTRA_VESSEL = 0x6c76;
/**
 * Only between desktop and guest, never in a kept archive: stored content whose zero runs are left out. Frames of a 64-bit count of zeros, a
 * 32-bit count of data bytes, and those bytes.
 */
export const METHOD_SPARSE = 0x6c76;
export const SPARSE_FRAME_BYTES = 12;
/** Zero runs are found in blocks of this many bytes, the block size of the guest's file system. */
export const HOLE_BYTES = 4096;

export type Owner = { readonly uid: number; readonly gid: number };
export type ExtendedAttribute = { readonly name: Uint8Array; readonly value: Uint8Array };
/** What an entry's {@link EXTRA_VESSEL} field says. */
export type EntryAttributes = {
  /** Microseconds since 1970; null: the time in whole seconds is all there is. */
  readonly mtimeUs: number | null;
  readonly sparse: boolean;
  readonly linkGroup: number | null;
  readonly xattrs: readonly ExtendedAttribute[];
};

export const NO_ATTRIBUTES: EntryAttributes = { mtimeUs: null, sparse: false, linkGroup: null, xattrs: [] };
export const OWNER_EXTRA_BYTES = 15;
const VERSION = 1;
const ITEM_HEAD_BYTES = 3;
const TAG = { mtime: 0x6d, sparse: 0x73, link: 0x68, xattr: 0x78 } as const;

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Writes the whole owner field, head included, at `at`. */
export function writeOwner(target: Uint8Array, at: number, { uid, gid }: Owner): void {
  const view = viewOf(target);
  view.setUint16(at, EXTRA_OWNER, true);
  view.setUint16(at + 2, OWNER_EXTRA_BYTES - 4, true);
  view.setUint8(at + 4, 1);
  view.setUint8(at + 5, 4);
  view.setUint32(at + 6, uid, true);
  view.setUint8(at + 10, 4);
  view.setUint32(at + 11, gid, true);
}

/** The data of an owner field (its head removed); null when it is malformed or holds numbers that Linux has not. */
export function readOwner(data: Uint8Array): Owner | null {
  if (data[0] !== 1) return null;
  const number = (at: number): { readonly value: number; readonly next: number } | null => {
    const size = data[at] ?? 0;
    if (size === 0 || at + 1 + size > data.length) return null;
    let value = 0;
    for (let index = size - 1; index >= 0; index -= 1) value = value * 256 + (data[at + 1 + index] ?? 0);
    // All ones means "leave it" to chown.
    return value >= 0xffffffff ? null : { value, next: at + 1 + size };
  };
  const uid = number(1);
  const gid = uid === null ? null : number(uid.next);
  return uid === null || gid === null ? null : { uid: uid.value, gid: gid.value };
}

/** The data of a Vessel field; null when it is malformed or of an unknown version. Unknown tags are passed over. */
export function readAttributes(data: Uint8Array): EntryAttributes | null {
  if (data[0] !== VERSION) return null;
  const view = viewOf(data);
  let { mtimeUs, sparse, linkGroup }: { mtimeUs: number | null; sparse: boolean; linkGroup: number | null } = NO_ATTRIBUTES;
  const xattrs: ExtendedAttribute[] = [];
  for (let at = 1; at < data.length;) {
    if (at + ITEM_HEAD_BYTES > data.length) return null;
    const tag = data[at];
    const length = view.getUint16(at + 1, true);
    const start = at + ITEM_HEAD_BYTES;
    at = start + length;
    if (at > data.length) return null;
    if (tag === TAG.mtime) {
      if (length !== 8) return null;
      mtimeUs = Number(view.getBigInt64(start, true));
    } else if (tag === TAG.sparse) {
      sparse = true;
    } else if (tag === TAG.link) {
      if (length !== 4) return null;
      linkGroup = view.getUint32(start, true);
    } else if (tag === TAG.xattr) {
      const nameLength = data[start] ?? 0;
      if (nameLength === 0 || 1 + nameLength > length) return null;
      xattrs.push({ name: data.subarray(start + 1, start + 1 + nameLength), value: data.subarray(start + 1 + nameLength, at) });
    }
  }
  return { mtimeUs, sparse, linkGroup, xattrs };
}

/** Bytes of the whole field, head included; 0 when there is nothing to say. */
export function attributesLength({ mtimeUs, sparse, linkGroup, xattrs }: EntryAttributes): number {
  const items = (mtimeUs === null ? 0 : ITEM_HEAD_BYTES + 8) + (sparse ? ITEM_HEAD_BYTES : 0) + (linkGroup === null ? 0 : ITEM_HEAD_BYTES + 4)
    + xattrs.reduce((bytes, { name, value }) => bytes + ITEM_HEAD_BYTES + 1 + name.length + value.length, 0);
  return items === 0 ? 0 : 4 + 1 + items;
}

/** Writes the whole field, head included, at `at`. Returns where it ends. The caller has made sure that {@link attributesLength} fits. */
export function writeAttributes(target: Uint8Array, start: number, attributes: EntryAttributes): number {
  const length = attributesLength(attributes);
  if (length === 0) return start;
  const view = viewOf(target);
  view.setUint16(start, EXTRA_VESSEL, true);
  view.setUint16(start + 2, length - 4, true);
  view.setUint8(start + 4, VERSION);
  let at = start + 5;
  const item = (tag: number, bytes: number): number => {
    view.setUint8(at, tag);
    view.setUint16(at + 1, bytes, true);
    at += ITEM_HEAD_BYTES + bytes;
    return at - bytes;
  };
  if (attributes.mtimeUs !== null) view.setBigInt64(item(TAG.mtime, 8), BigInt(attributes.mtimeUs), true);
  if (attributes.sparse) item(TAG.sparse, 0);
  if (attributes.linkGroup !== null) view.setUint32(item(TAG.link, 4), attributes.linkGroup, true);
  for (const { name, value } of attributes.xattrs) {
    const place = item(TAG.xattr, 1 + name.length + value.length);
    view.setUint8(place, name.length);
    target.set(name, place + 1);
    target.set(value, place + 1 + name.length);
  }
  return at;
}
