import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileSecretStore } from './file-secret-store.ts';

let folder = '';
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vessel-secrets-')); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the secret store', () => {
  it('keeps a secret of this session in memory only', async () => {
    const path = join(folder, 'secrets.json');
    const store = new FileSecretStore(path);
    await store.put('a', 'x', 'session');
    expect(await store.get('a')).toBe('x');
    expect(existsSync(path)).toBe(false);
    expect(await new FileSecretStore(path).get('a')).toBeNull();
  });
  it('keeps others in a private file, whole after many changes at once, and forgets on request', async () => {
    const path = join(folder, 'ssh', 'secrets.json');
    const store = new FileSecretStore(path);
    await Promise.all(Array.from({ length: 20 }, (_unused, index) => store.put(`n${index}`, `v${index}`, 'forever')));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'ssh')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(folder, 'ssh'))).toEqual(['secrets.json']);
    const next = new FileSecretStore(path);
    expect(await Promise.all(Array.from({ length: 20 }, (_unused, index) => next.get(`n${index}`)))).toEqual(Array.from({ length: 20 }, (_unused, index) => `v${index}`));
    await store.remove('n3');
    expect([await store.get('n3'), await next.get('n3')]).toEqual([null, null]);
    expect(readFileSync(path, 'utf8')).not.toContain('v3"');
  });
  it('says when its file is damaged instead of losing it', async () => {
    const path = join(folder, 'secrets.json');
    writeFileSync(path, '{"v":1,');
    await expect(new FileSecretStore(path).put('a', 'b', 'forever')).rejects.toThrow(expect.objectContaining({ code: 'STORE_CORRUPT' }));
    expect(readFileSync(path, 'utf8')).toBe('{"v":1,');
  });
});
