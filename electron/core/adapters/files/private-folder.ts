import { chmodSync, closeSync, fchmodSync, mkdirSync, openSync, statSync } from 'node:fs';
import { VesselError } from '#shared/errors.ts';

const PRIVATE_FOLDER = 0o700;
const PRIVATE_FILE = 0o600;
const OTHERS = 0o077;

/**
 * Makes sure that a folder exists and that only its owner may enter it, also one that was there before with other rights. Throws
 * FOLDER_UNSAFE when it belongs to another user than `self`.
 */
export function ensurePrivateFolder(path: string, self = process.getuid?.()): void {
  mkdirSync(path, { recursive: true, mode: PRIVATE_FOLDER });
  const { uid, mode } = statSync(path);
  // Windows knows no modes and no user ids.
  if (self === undefined) return;
  // Root may keep its things in a person's folder on purpose.
  if (self !== 0 && uid !== self) throw new VesselError('FOLDER_UNSAFE', `${path} belongs to the user ${uid}, not to ${self}`, { details: { path, uid } });
  if ((mode & OTHERS) !== 0) chmodSync(path, PRIVATE_FOLDER);
}

/** Makes sure that a file exists and that only its owner may read it. */
export function ensurePrivateFile(path: string): void {
  const file = openSync(path, 'a', PRIVATE_FILE);
  try {
    fchmodSync(file, PRIVATE_FILE);
  } finally {
    closeSync(file);
  }
}
