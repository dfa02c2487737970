import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { SafeStorage } from 'electron';

/** AES-256. */
const KEY_BYTES = 32;

/** The part of Electron's safeStorage that is used. `getSelectedStorageBackend` exists on Linux only. */
export type Keychain = Pick<SafeStorage, 'isEncryptionAvailable' | 'encryptString' | 'decryptString'> & { readonly getSelectedStorageBackend?: SafeStorage['getSelectedStorageBackend'] };

/**
 * The key with which core seals the secrets that people let it keep. It lies at `path` sealed by the system's keychain, and
 * is opened at each start; made at the first. null where there is no keychain: core then keeps a private file.
 *
 * A key that the keychain cannot open (of another computer, or the keychain was reset) is put aside, never overwritten.
 */
export function sealedSecretKey(path: string, keychain: Keychain, log: (line: string) => void): Buffer | null {
  // On Linux `basic_text` is a password that stands in Chromium's source: no protection to speak of.
  if (!keychain.isEncryptionAvailable() || (process.platform === 'linux' && keychain.getSelectedStorageBackend?.() === 'basic_text')) {
    log('secrets: this system offers no keychain; passwords that you let Vessel keep rest in a file that only your account can read');
    return null;
  }
  if (existsSync(path)) {
    try {
      const key = Buffer.from(keychain.decryptString(readFileSync(path)), 'hex');
      if (key.length === KEY_BYTES) return key;
      log('secrets: the sealed key is damaged');
    } catch (error) {
      log(`secrets: the keychain cannot open the sealed key: ${error instanceof Error ? error.message : String(error)}`);
    }
    renameSync(path, `${path}.unreadable`);
  }
  const key = randomBytes(KEY_BYTES);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.new`;
  writeFileSync(temporary, keychain.encryptString(key.toString('hex')), { mode: 0o600 });
  renameSync(temporary, path);
  return key;
}
