import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileSecretStore } from './file-secret-store.ts';
import { openSecretStore } from './open-secret-store.ts';
import { KEY_BYTES, sealedFormat } from './secret-format.ts';
import { secretStoreContract } from './testing/secret-store-contract.ts';

const key = randomBytes(KEY_BYTES);
secretStoreContract('the private file of a headless server', (path) => new FileSecretStore(path));
secretStoreContract('the sealed file of the desktop', (path) => new FileSecretStore(path, sealedFormat(key)));

describe('the sealed file', () => {
  it('shows neither names nor values, and looks different at each writing', () => {
    const format = sealedFormat(key);
    const texts = [format.encode({ 'ssh-password:ada@box': 'geheim' }), format.encode({ 'ssh-password:ada@box': 'geheim' })];
    for (const text of texts) expect(text).not.toMatch(/geheim|ada@box|ssh-password|Z2VoZWlt/);
    expect(texts[0]).not.toBe(texts[1]);
  });
  it('opens with its own key only, and not after one bit was changed', () => {
    const text = sealedFormat(key).encode({ a: 'x' });
    expect(sealedFormat(key).decode(text)).toEqual({ a: 'x' });
    expect(sealedFormat(randomBytes(KEY_BYTES)).decode(text)).toBeNull();
    const parts = JSON.parse(text) as Record<string, string>;
    for (const part of ['iv', 'tag', 'data', 'keyId']) {
      const bytes = Buffer.from(parts[part] ?? '', 'base64');
      bytes[0] = (bytes[0] ?? 0) ^ 1;
      expect(sealedFormat(key).decode(JSON.stringify({ ...parts, [part]: bytes.toString('base64') })), part).toBeNull();
    }
    expect(sealedFormat(key).decode(JSON.stringify({ ...parts, tag: Buffer.from(parts['tag'] ?? '', 'base64').subarray(0, 4).toString('base64') }))).toBeNull();
  });
});

describe('the store of a home', () => {
  let folder = '';
  const logged: string[] = [];
  const open = (withKey: Buffer | null): ReturnType<typeof openSecretStore> => openSecretStore(folder, withKey, (line) => logged.push(line));
  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vessel-secrets-')); logged.length = 0; });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('moves what stood in the plain file into the sealed one, and leaves nothing behind', async () => {
    await (await open(null)).put('a', 'geheim', 'forever');
    expect(readFileSync(join(folder, 'secrets.json'), 'utf8')).toContain('geheim');
    expect(await (await open(key)).get('a')).toBe('geheim');
    expect(existsSync(join(folder, 'secrets.json'))).toBe(false);
    expect(readFileSync(join(folder, 'secrets.sealed.json'), 'utf8')).not.toContain('geheim');
    expect(await (await open(key)).get('a')).toBe('geheim');
  });
  it('is asked anew without the key, and finds the sealed ones again with it', async () => {
    await (await open(key)).put('a', 'x', 'forever');
    expect(await (await open(null)).get('a')).toBeNull();
    expect(await (await open(key)).get('a')).toBe('x');
  });
  it('puts a file of another key aside and begins anew', async () => {
    await (await open(key)).put('a', 'x', 'forever');
    const other = await open(randomBytes(KEY_BYTES));
    expect(await other.get('a')).toBeNull();
    await other.put('b', 'y', 'forever');
    expect(existsSync(join(folder, 'secrets.sealed.json.unreadable'))).toBe(true);
    expect(logged.join()).toContain('put aside');
  });
  it('takes no key of another length, and leaves a plain file that is none alone', async () => {
    await expect(open(Buffer.alloc(16))).rejects.toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    writeFileSync(join(folder, 'secrets.json'), 'hello');
    expect(await (await open(key)).get('a')).toBeNull();
    expect(readFileSync(join(folder, 'secrets.json'), 'utf8')).toBe('hello');
  });
});
