import { createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { x25519 } from '@noble/curves/ed25519.js';
import type { FileSecrets } from './age-file.ts';

export const SECRET_BYTES = 32;
const TEXT_NONCE_BYTES = 24;

/**
 * The key of an account's archives: the 32 bytes of an age identity, from which everything else follows. It never leaves this process
 * but into the SecretStore.
 */
export type ArchiveKey = {
  /** Names the key without telling anything of it. */
  readonly id: string;
  readonly identity: Uint8Array;
  readonly recipient: Uint8Array;
  /** What one content of one project is sealed with: always the same for the same, so that a repeated upload sends the same bytes. */
  fileSecrets(projectId: string, sha256: string): FileSecrets;
  /** The id under which the server knows a revision: the plain one would let it test guesses of the content. */
  remoteId(projectId: string, archiveId: string): string;
  /** Seals a short text; `place` says where it belongs, and it opens nowhere else. */
  sealText(text: string, place: string): string;
  /** Null when it was changed, or moved from another place. */
  openText(sealed: string, place: string): string | null;
};

/** Throws when there are not {@link SECRET_BYTES} bytes. */
export function makeArchiveKey(secret: Uint8Array): ArchiveKey {
  if (secret.length !== SECRET_BYTES) throw new Error(`a key has ${SECRET_BYTES} bytes`);
  const identity = Buffer.from(secret);
  const recipient = x25519.getPublicKey(identity);
  const derive = (info: string, bytes = 32, salt = ''): Buffer => Buffer.from(hkdfSync('sha256', identity, salt, `vessel archives v1 ${info}`, bytes));
  const textKey = derive('text');
  const idKey = derive('ids');
  return {
    id: createHash('sha256').update('vessel archive key id\0').update(recipient).digest('hex').slice(0, 32), identity, recipient,
    fileSecrets(projectId, sha256) {
      const bytes = derive(`file\n${projectId}\n${sha256}`, 64);
      return { fileKey: bytes.subarray(0, 16), ephemeral: bytes.subarray(16, 48), nonce: bytes.subarray(48, 64) };
    },
    remoteId(projectId, archiveId) {
      const hex = createHmac('sha256', idKey).update(`${projectId}\n${archiveId}`).digest('hex').slice(0, 32);
      // A UUID of version 8, as the plain ones are.
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
    },
    sealText(text, place) {
      const nonce = randomBytes(TEXT_NONCE_BYTES);
      const sealed = xchacha20poly1305(textKey, nonce, Buffer.from(place)).encrypt(Buffer.from(text));
      return `v1.${this.id}.${Buffer.concat([nonce, sealed]).toString('base64')}`;
    },
    openText(sealed, place) {
      const bytes = Buffer.from(sealed.split('.')[2] ?? '', 'base64');
      try {
        return Buffer.from(xchacha20poly1305(textKey, bytes.subarray(0, TEXT_NONCE_BYTES), Buffer.from(place)).decrypt(bytes.subarray(TEXT_NONCE_BYTES))).toString('utf8');
      } catch {
        return null; // the tag does not fit
      }
    },
  };
}

/** Which key a sealed text needs; null when it is none. */
export const keyIdOfText = (sealed: string): string | null => /^v1\.([0-9a-f]{32})\.[A-Za-z0-9+/=]+$/.exec(sealed)?.[1] ?? null;
