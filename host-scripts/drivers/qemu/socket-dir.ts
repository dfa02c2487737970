import { createHash } from 'node:crypto';
import { join } from 'node:path';

/** A unix socket's path may have 107 bytes (sun_path), whatever the length of the state folder: sockets go by a short hash. */
const HASH_LENGTH = 16;

/** The folder for the sockets of what lives in `directory`. */
export function socketDirFor(run: string, directory: string): string {
  return join(run, createHash('sha256').update(directory).digest('hex').slice(0, HASH_LENGTH));
}
