import { createCipheriv, createDecipheriv, getCiphers } from 'node:crypto';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';

const NAME = 'chacha20-poly1305';
export const TAG_BYTES = 16;

/** ChaCha20-Poly1305 (RFC 8439) without associated data. `open` answers null for anything that was not sealed with this key and nonce. */
export type Aead = {
  seal(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array): Buffer;
  open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array): Buffer | null;
};

/** OpenSSL's, several times as fast (whole files, measured: 545 MB/s sealed and 866 opened, against 150 both ways). */
export const nativeAead: Aead = {
  seal(key, nonce, plain) {
    const cipher = createCipheriv(NAME, key, nonce, { authTagLength: TAG_BYTES });
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  },
  open(key, nonce, sealed) {
    if (sealed.length < TAG_BYTES) return null;
    const end = sealed.length - TAG_BYTES;
    const decipher = createDecipheriv(NAME, key, nonce, { authTagLength: TAG_BYTES }).setAuthTag(sealed.subarray(end));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]);
    } catch {
      return null; // the tag does not fit; OpenSSL says no more than that
    }
  },
};

/** For the desktop: Electron's Node comes with BoringSSL, which does not offer this cipher to Node. */
export const portableAead: Aead = {
  seal: (key, nonce, plain) => Buffer.from(chacha20poly1305(key, nonce).encrypt(plain)),
  open(key, nonce, sealed) {
    if (sealed.length < TAG_BYTES) return null;
    try {
      return Buffer.from(chacha20poly1305(key, nonce).decrypt(sealed));
    } catch {
      return null; // the tag does not fit
    }
  },
};

/** The faster one that this Node has. */
export const aead: Aead = getCiphers().includes(NAME) ? nativeAead : portableAead;
