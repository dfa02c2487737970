import { createHash, randomBytes } from 'node:crypto';
import { bech32 } from '@scure/base';
import { Decrypter, Encrypter } from 'age-encryption';
import { describe, expect, it } from 'vitest';
import { nativeAead, portableAead, type Aead } from './aead.ts';
import { openAge, plainBytes, sealAge, sealedBytes } from './age-file.ts';
import { makeArchiveKey } from './archive-key.ts';

const key = makeArchiveKey(randomBytes(32));
const CHUNK = 64 * 1024;
const SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 200_003];
const code = (name: string): unknown => expect.objectContaining({ code: name });
async function* pieces(bytes: Uint8Array, size = 10_007): AsyncGenerator<Uint8Array, void> { for (let at = 0; at < bytes.length; at += size) { await Promise.resolve(); yield bytes.subarray(at, at + size); } }
const all = async (stream: AsyncIterable<Uint8Array>): Promise<Buffer> => { const found = []; for await (const chunk of stream) found.push(chunk); return Buffer.concat(found); };
const secretsOf = (content: Buffer): ReturnType<typeof key.fileSecrets> => key.fileSecrets('p', createHash('sha256').update(content).digest('hex'));
const seal = (content: Buffer, cipher?: Aead): Promise<Buffer> => all(sealAge(pieces(content), key.recipient, secretsOf(content), cipher));
const open = (sealed: Uint8Array, cipher?: Aead, identity = key.identity): Promise<Buffer> => all(openAge(pieces(sealed), identity, cipher));
const asText = (prefix: string, bytes: Uint8Array): string => bech32.encodeFromBytes(prefix, bytes);
/** What the reference implementation makes of our key. */
const identity = asText('AGE-SECRET-KEY-', key.identity).toUpperCase();
const recipient = asText('age', key.recipient);

describe('a sealed file', () => {
  it.each(SIZES)('of %i bytes is read by the reference implementation of age, and the other way round', async (size) => {
    const content = randomBytes(size);
    const sealed = await seal(content);
    expect(sealed).toHaveLength(sealedBytes(size));
    expect(plainBytes(sealed.length)).toBe(size);
    const reader = new Decrypter();
    reader.addIdentity(identity);
    expect(Buffer.from(await reader.decrypt(sealed)).equals(content)).toBe(true);
    const writer = new Encrypter();
    writer.addRecipient(recipient);
    expect((await open(await writer.encrypt(content))).equals(content)).toBe(true);
  });
  it.each(SIZES)('of %i bytes is the same with both ciphers, and each opens the other’s', async (size) => {
    const content = randomBytes(size);
    const [one, other] = [await seal(content, nativeAead), await seal(content, portableAead)];
    expect(one.equals(other)).toBe(true);
    expect((await open(one, portableAead)).equals(content)).toBe(true);
    expect((await open(other, nativeAead)).equals(content)).toBe(true);
  });
  it('is the same each time for the same content of the same project, and another for anything else', async () => {
    const content = randomBytes(1000);
    expect((await seal(content)).equals(await seal(content))).toBe(true);
    const hash = createHash('sha256').update(content).digest('hex');
    const other = await all(sealAge(pieces(content), key.recipient, key.fileSecrets('q', hash)));
    expect(other.subarray(200).equals((await seal(content)).subarray(200))).toBe(false);
    expect(key.fileSecrets('p', hash).fileKey).not.toEqual(key.fileSecrets('p', 'a'.repeat(64)).fileKey);
  });
  it('does not open with another key', async () => {
    for (const cipher of [nativeAead, portableAead]) await expect(open(await seal(randomBytes(100)), cipher, randomBytes(32))).rejects.toThrow(code('ENCRYPTION_WRONG_KEY'));
  });
  it('is refused after any byte was changed, wherever it was cut, and with a piece missing or exchanged', async () => {
    const content = randomBytes(2 * CHUNK + 10);
    const sealed = await seal(content);
    const start = sealed.length - content.length - 3 * 16;
    const refused = code('ARCHIVE_CORRUPT');
    for (const at of [0, 30, start - 1, start, start + CHUNK, start + CHUNK + 20, sealed.length - 1]) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const error: unknown = await open(changed).catch((failure: unknown) => failure);
      expect(error, `byte ${at}`).toMatchObject({ code: expect.stringMatching(/ARCHIVE_CORRUPT|ENCRYPTION_WRONG_KEY/) as unknown });
    }
    for (const end of [0, 10, start - 5, start, start + CHUNK, start + CHUNK + 16, start + 2 * (CHUNK + 16), sealed.length - 1]) await expect(open(sealed.subarray(0, end)), `cut at ${end}`).rejects.toThrow(refused);
    await expect(open(Buffer.concat([sealed, Buffer.from('x')]))).rejects.toThrow(refused);
    const [first, second] = [sealed.subarray(start, start + CHUNK + 16), sealed.subarray(start + CHUNK + 16, start + 2 * (CHUNK + 16))];
    await expect(open(Buffer.concat([sealed.subarray(0, start), second, first, sealed.subarray(start + 2 * (CHUNK + 16))]))).rejects.toThrow(refused);
    await expect(open(randomBytes(100_000))).rejects.toThrow(refused);
  });
  it('lets its source go when the reading ends early', async () => {
    let closed = false;
    const source = async function* (): AsyncGenerator<Uint8Array, void> { try { for (;;) { await Promise.resolve(); yield randomBytes(CHUNK); } } finally { closed = true; } };
    for await (const piece of sealAge(source(), key.recipient, secretsOf(Buffer.alloc(0)))) if (piece.length > CHUNK) break;
    expect(closed).toBe(true);
  });
});
