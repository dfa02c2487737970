/** Paths of a Git index; folders of a sparse index end in `/` and stand for all below them. */
export type GitIndex = {
  readonly paths: readonly string[];
  /** Hash of the shared index that a split index builds on, lower-case hex; null when it stands alone. */
  readonly sharedIndex: string | null;
};

const HEADER_BYTES = 12;
/** Times, device, inode, mode, owner, size: what precedes the object's hash in an entry. */
const STAT_BYTES = 40;
const FLAG_BYTES = 2;
const NAME_MASK = 0xfff;
const EXTENDED = 0x4000;
const EXTENSION_HEADER_BYTES = 8;
/** SHA-1, then SHA-256. */
const HASH_BYTES = [20, 32] as const;
const MAX_ENTRIES = 10_000_000;
/** The variable-width number of version 4: never more than the length of a path. */
const MAX_VARINT_BYTES = 5;

const decoder = new TextDecoder();

/**
 * Reads a Git index (gitformat-index(5)): versions 2 to 4, of repositories with either hash, split and sparse ones too. Null for what is none, is damaged, or
 * needs an extension that is not known here: whoever asks then knows nothing of what is tracked.
 */
export function parseGitIndex(bytes: Uint8Array): GitIndex | null {
  for (const hash of HASH_BYTES) {
    const found = parseWith(bytes, hash);
    if (found !== null) return found;
  }
  return null;
}

function parseWith(bytes: Uint8Array, hash: number): GitIndex | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length - hash;
  if (end < HEADER_BYTES || decoder.decode(bytes.subarray(0, 4)) !== 'DIRC') return null;
  const version = view.getUint32(4);
  const count = view.getUint32(8);
  if (version < 2 || version > 4 || count > MAX_ENTRIES) return null;
  const paths: string[] = [];
  let previous: Uint8Array = new Uint8Array(0);
  let at = HEADER_BYTES;
  for (let entry = 0; entry < count; entry += 1) {
    const flagsAt = at + STAT_BYTES + hash;
    if (flagsAt + FLAG_BYTES > end) return null;
    const flags = view.getUint16(flagsAt);
    const extended = (flags & EXTENDED) !== 0;
    if (extended && version < 3) return null;
    let nameAt = flagsAt + FLAG_BYTES + (extended ? FLAG_BYTES : 0);
    let kept: Uint8Array = new Uint8Array(0);
    if (version === 4) {
      const strip = readVarint(bytes, nameAt, end);
      if (strip === null || strip.value > previous.length) return null;
      kept = previous.subarray(0, previous.length - strip.value);
      nameAt = strip.next;
    }
    const nul = bytes.indexOf(0, nameAt);
    if (nul < 0 || nul >= end) return null;
    const name = join(kept, bytes.subarray(nameAt, nul));
    // Longer names are only said to be at least this long.
    if ((flags & NAME_MASK) !== Math.min(name.length, NAME_MASK)) return null;
    // An entry of a split index that only replaces one of the shared index has no name.
    if (name.length > 0) paths.push(decoder.decode(name));
    previous = name;
    at = version === 4 ? nul + 1 : at + padded(nul - at);
  }
  return extensions(bytes, view, at, end, hash, paths);
}

/** Entries before version 4 end with one to eight NULs, so that each begins at a multiple of eight. */
const padded = (length: number): number => (Math.floor(length / 8) + 1) * 8;

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}

/** As Git's offset encoding: big-endian groups of seven bits, each further group adds one. */
function readVarint(bytes: Uint8Array, start: number, end: number): { readonly value: number; readonly next: number } | null {
  let at = start;
  let value = 0;
  for (let group = 0; group < MAX_VARINT_BYTES && at < end; group += 1) {
    const byte = bytes[at] ?? 0;
    at += 1;
    value = group === 0 ? byte & 0x7f : (value + 1) * 128 + (byte & 0x7f);
    if ((byte & 0x80) === 0) return { value, next: at };
  }
  return null;
}

/** The chain of extensions must end exactly where the checksum begins: that tells the two hashes apart, and most damage. */
function extensions(bytes: Uint8Array, view: DataView, start: number, end: number, hash: number, paths: readonly string[]): GitIndex | null {
  let sharedIndex: string | null = null;
  let at = start;
  while (at < end) {
    if (at + EXTENSION_HEADER_BYTES > end) return null;
    const name = decoder.decode(bytes.subarray(at, at + 4));
    const size = view.getUint32(at + 4);
    const content = at + EXTENSION_HEADER_BYTES;
    if (content + size > end) return null;
    if (name === 'link') {
      if (size < hash) return null;
      const hex = [...bytes.subarray(content, content + hash)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
      sharedIndex = /^0+$/.test(hex) ? null : hex;
    } else if (name !== 'sdir' && !/^[A-Z]/.test(name)) {
      // One that begins in lower case must be understood.
      return null;
    }
    at = content + size;
  }
  return at === end ? { paths, sharedIndex } : null;
}
