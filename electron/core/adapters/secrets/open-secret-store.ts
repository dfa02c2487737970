import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import type { SecretStore } from '../../ports/secret-store.ts';
import { FileSecretStore } from './file-secret-store.ts';
import { KEY_BYTES, keyIdOf, neededKeyId, plainFormat, sealedFormat } from './secret-format.ts';

/**
 * The store of a home. With a key (the desktop's, which the keychain of the system keeps) the file is sealed, and what
 * stood in the plain one moves into it; without, secrets rest in the plain file and a sealed one is left alone.
 * Throws BAD_REQUEST for a key of another length.
 */
export async function openSecretStore(folder: string, key: Buffer | null, log: (line: string) => void): Promise<SecretStore> {
  const plainPath = join(folder, 'secrets.json');
  if (key === null) return new FileSecretStore(plainPath);
  if (key.length !== KEY_BYTES) throw new VesselError('BAD_REQUEST', `The key for secrets has ${key.length} bytes instead of ${KEY_BYTES}`);
  const sealedPath = join(folder, 'secrets.sealed.json');
  const sealed = await readOptional(sealedPath);
  if (sealed !== null && neededKeyId(sealed) !== keyIdOf(key)) {
    // Of another keychain, or damaged: nothing can open it, and all that is in it can be asked for again.
    await rename(sealedPath, `${sealedPath}.unreadable`);
    log(`secrets: ${sealedPath} needs another key; it was put aside, and what it held is asked for again`);
  }
  const store = new FileSecretStore(sealedPath, sealedFormat(key));
  const plain = await readOptional(plainPath);
  if (plain === null) return store;
  const secrets = plainFormat.decode(plain);
  if (secrets === null) {
    log(`secrets: ${plainPath} does not hold secrets and is left as it is`);
    return store;
  }
  for (const [name, value] of Object.entries(secrets)) await store.put(name, value, 'forever');
  await rm(plainPath);
  return store;
}

async function readOptional(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
