import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { x25519 } from '@noble/curves/ed25519.js';
import { VesselError } from '#shared/errors.ts';
import { aead, TAG_BYTES, type Aead } from './aead.ts';

/** The format's: contents are sealed in pieces of this size. */
const CHUNK_BYTES = 64 * 1024;
const NONCE_BYTES = 16;
const FILE_KEY_BYTES = 16;
const VERSION = 'age-encryption.org/v1';
const LABEL = `${VERSION}/X25519`;
/** One recipient's header has 184 bytes; what is longer is not ours. */
const MAX_HEADER_BYTES = 16 * 1024;
const NO_NONCE = Buffer.alloc(12);

/** What makes one file: chosen by the caller, so that the same content can be sealed to the same bytes again. */
export type FileSecrets = { readonly fileKey: Uint8Array; readonly ephemeral: Uint8Array; readonly nonce: Uint8Array };
/** A file that begins so is sealed. */
export const AGE_MAGIC = Buffer.from(`${VERSION}\n`);

const hkdf = (key: Uint8Array, salt: Uint8Array, info: string): Buffer => Buffer.from(hkdfSync('sha256', key, salt, info, 32));
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replace(/(?<!=)=+$/, '');
const damaged = (what: string): VesselError => new VesselError('ARCHIVE_CORRUPT', `The encrypted archive ${what}`);

/** How large a file becomes: known before it is made, because the format has no compression and no padding. */
export const sealedBytes = (plainBytes: number): number => HEADER_BYTES + NONCE_BYTES + plainBytes + Math.max(1, Math.ceil(plainBytes / CHUNK_BYTES)) * TAG_BYTES;

/** The other way round; meaningless for what is not such a file. */
export function plainBytes(sealed: number): number {
  const body = sealed - HEADER_BYTES - NONCE_BYTES;
  return body - Math.ceil(body / (CHUNK_BYTES + TAG_BYTES)) * TAG_BYTES;
}

/**
 * Seals a stream in the age v1 format (https://age-encryption.org/v1) for one X25519 recipient. Everything that is random there is
 * given by the caller here, who must never give the same `secrets` for two contents. Holds one piece in memory.
 */
export async function* sealAge(content: AsyncIterable<Uint8Array>, recipient: Uint8Array, secrets: FileSecrets, cipher: Aead = aead): AsyncGenerator<Buffer, void> {
  yield header(recipient, secrets, cipher);
  yield Buffer.from(secrets.nonce);
  const key = hkdf(secrets.fileKey, secrets.nonce, 'payload');
  const pieces = new Pieces(content);
  try {
    for (let counter = 0, last = false; !last; counter += 1) {
      const plain = await pieces.take(CHUNK_BYTES);
      last = plain.length < CHUNK_BYTES || await pieces.ended();
      yield cipher.seal(key, chunkNonce(counter, last), plain);
    }
  } finally {
    await pieces.close();
  }
}

/**
 * The content of an age file as a stream; each piece is authenticated before it is passed on, and a missing end is noticed. Throws
 * ENCRYPTION_WRONG_KEY when the identity is not the recipient, ARCHIVE_CORRUPT for anything that was changed.
 */
export async function* openAge(content: AsyncIterable<Uint8Array>, identity: Uint8Array, cipher: Aead = aead): AsyncGenerator<Buffer, void> {
  const pieces = new Pieces(content);
  try {
    const fileKey = readHeader(await pieces.takeHeader(), identity, cipher);
    const nonce = await pieces.take(NONCE_BYTES);
    if (nonce.length < NONCE_BYTES) throw damaged('is cut off');
    const key = hkdf(fileKey, nonce, 'payload');
    for (let counter = 0, last = false; !last; counter += 1) {
      const sealed = await pieces.take(CHUNK_BYTES + TAG_BYTES);
      last = sealed.length < CHUNK_BYTES + TAG_BYTES || await pieces.ended();
      const plain = cipher.open(key, chunkNonce(counter, last), sealed);
      if (plain === null || (plain.length === 0 && counter > 0)) throw damaged('was changed or is cut off');
      if (plain.length > 0) yield plain;
    }
  } finally {
    await pieces.close();
  }
}

function header(recipient: Uint8Array, { fileKey, ephemeral }: FileSecrets, cipher: Aead): Buffer {
  const share = x25519.getPublicKey(ephemeral);
  const wrapped = cipher.seal(hkdf(x25519.getSharedSecret(ephemeral, recipient), Buffer.concat([share, recipient]), LABEL), NO_NONCE, fileKey);
  const body = `${VERSION}\n-> X25519 ${base64(share)}\n${base64(wrapped)}\n---`;
  return Buffer.from(`${body} ${base64(mac(fileKey, body))}\n`);
}
const HEADER_BYTES = `${VERSION}\n-> X25519 ${'x'.repeat(43)}\n${'x'.repeat(43)}\n--- ${'x'.repeat(43)}\n`.length;

const mac = (fileKey: Uint8Array, body: string): Buffer => createHmac('sha256', hkdf(fileKey, Buffer.alloc(0), 'header')).update(body).digest();

function readHeader(text: string, identity: Uint8Array, cipher: Aead): Buffer {
  const parsed = /^(age-encryption\.org\/v1\n-> X25519 ([A-Za-z0-9+/]{43})\n([A-Za-z0-9+/]{43})\n---) ([A-Za-z0-9+/]{43})\n$/.exec(text);
  if (parsed === null) throw damaged('does not begin as one');
  const [, body = '', share64 = '', wrapped64 = '', mac64 = ''] = parsed;
  const share = Buffer.from(share64, 'base64');
  const recipient = x25519.getPublicKey(identity);
  let shared: Uint8Array;
  try {
    shared = x25519.getSharedSecret(identity, share);
  } catch (error) {
    throw new VesselError('ARCHIVE_CORRUPT', 'The encrypted archive does not begin as one', { cause: error });
  }
  const fileKey = cipher.open(hkdf(shared, Buffer.concat([share, recipient]), LABEL), NO_NONCE, Buffer.from(wrapped64, 'base64'));
  if (fileKey === null || fileKey.length !== FILE_KEY_BYTES) throw new VesselError('ENCRYPTION_WRONG_KEY', 'The archive was encrypted with another key');
  const found = Buffer.from(mac64, 'base64');
  if (found.length !== 32 || !timingSafeEqual(found, mac(fileKey, body))) throw damaged('was changed');
  return fileKey;
}

/** Eleven bytes of counter, one that marks the end. 2^48 pieces of 64 KiB are more than there is. */
function chunkNonce(counter: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(counter, 5, 6);
  nonce[11] = last ? 1 : 0;
  return nonce;
}

/** A stream, taken in pieces of wanted sizes. */
class Pieces {
  readonly #source: AsyncIterator<Uint8Array>;
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  #done = false;

  constructor(content: AsyncIterable<Uint8Array>) { this.#source = content[Symbol.asyncIterator](); }

  /** That many bytes; fewer only at the end. */
  async take(bytes: number): Promise<Buffer> {
    await this.#fill(bytes);
    const taken: Uint8Array[] = [];
    for (let left = Math.min(bytes, this.#bytes); left > 0;) {
      const [first = new Uint8Array()] = this.#waiting;
      if (first.length > left) this.#waiting[0] = first.subarray(left);
      else this.#waiting.shift();
      taken.push(first.subarray(0, left));
      this.#bytes -= Math.min(left, first.length);
      left -= Math.min(left, first.length);
    }
    // One piece of what came is passed on without a copy.
    const [only] = taken;
    return taken.length === 1 && only !== undefined ? Buffer.from(only.buffer, only.byteOffset, only.length) : Buffer.concat(taken);
  }
  /** Lets the source go, whether it ended or not. */
  async close(): Promise<void> { await this.#source.return?.(); }
  async ended(): Promise<boolean> { await this.#fill(1); return this.#bytes === 0; }
  /** Up to the line that ends the header. */
  async takeHeader(): Promise<string> {
    for (let wanted = HEADER_BYTES; wanted <= MAX_HEADER_BYTES; wanted *= 2) {
      await this.#fill(wanted);
      const text = Buffer.concat(this.#waiting).subarray(0, wanted).toString('latin1');
      const end = /\n--- [^\n]*\n/.exec(text);
      if (end !== null) return (await this.take(end.index + end[0].length)).toString('latin1');
      if (this.#done) break;
    }
    throw damaged('does not begin as one');
  }

  async #fill(bytes: number): Promise<void> {
    while (this.#bytes < bytes && !this.#done) {
      const next = await this.#source.next();
      if (next.done === true) { this.#done = true; return; }
      if (next.value.length === 0) continue;
      this.#waiting.push(next.value);
      this.#bytes += next.value.length;
    }
  }
}
