import { isUtf8 } from 'node:buffer';

/** A path or name for the file system: text, or the raw bytes when they are not valid UTF-8 (Linux allows any byte but `/` and NUL). */
export type RawPath = string | Buffer;

export function joinRaw(folder: RawPath, name: RawPath): RawPath {
  if (typeof folder === 'string' && typeof name === 'string') return folder === '' ? name : `${folder}/${name}`;
  if (folder.length === 0) return name;
  return Buffer.concat([Buffer.from(folder as string), Buffer.from('/'), Buffer.from(name as string)]);
}

/** For people and JSON: invalid bytes shown as U+FFFD. */
export const showPath = (path: RawPath): string => (typeof path === 'string' ? path : path.toString('utf8'));

/** Text when the bytes are valid UTF-8, else the bytes. */
export const fromBytes = (bytes: Buffer): RawPath => (isUtf8(bytes) ? bytes.toString('utf8') : bytes);
