import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SecretStore } from '../../../ports/secret-store.ts';

/** What every store of secrets must do, whatever its file looks like. `make` is called again on the same path as after a restart. */
export function secretStoreContract(name: string, make: (path: string) => SecretStore): void {
  describe(name, () => {
    let folder = '';
    let path = '';
    beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vessel-secrets-')); path = join(folder, 'ssh', 'file'); });
    afterEach(() => rmSync(folder, { recursive: true, force: true }));

    it('keeps a secret of this session in memory only', async () => {
      const store = make(path);
      await store.put('a', 'x', 'session');
      expect(await store.get('a')).toBe('x');
      expect(existsSync(path)).toBe(false);
      expect(await make(path).get('a')).toBeNull();
    });
    it('keeps others in a private file, whole after many changes at once, and forgets on request', async () => {
      const store = make(path);
      await Promise.all(Array.from({ length: 20 }, (_unused, index) => store.put(`n${index}`, `v${index}`, 'forever')));
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
      expect(readdirSync(dirname(path))).toEqual(['file']);
      const next = make(path);
      expect(await Promise.all(Array.from({ length: 20 }, (_unused, index) => next.get(`n${index}`)))).toEqual(Array.from({ length: 20 }, (_unused, index) => `v${index}`));
      await store.remove('n3');
      expect([await store.get('n3'), await next.get('n3'), await next.get('n4')]).toEqual([null, null, 'v4']);
      await store.remove('never was');
    });
    it('replaces a secret, keeps every character of it, and takes a session over what is kept', async () => {
      await make(path).put('a', 'old', 'forever');
      const odd = '\u0000"ä😀\n\\';
      const store = make(path);
      await store.put('a', odd, 'forever');
      expect(await make(path).get('a')).toBe(odd);
      await store.put('a', 'now', 'session');
      expect([await store.get('a'), await make(path).get('a')]).toEqual(['now', odd]);
    });
    it('makes a copied file private again', async () => {
      await make(path).put('a', 'x', 'forever');
      chmodSync(path, 0o644);
      await make(path).get('a');
      expect(statSync(path).mode & 0o777).toBe(0o600);
    });
    it('says when its file is damaged instead of losing it', async () => {
      await make(path).put('a', 'x', 'forever');
      const damaged = readFileSync(path, 'utf8').slice(0, -3);
      writeFileSync(path, damaged);
      await expect(make(path).get('a')).rejects.toThrow(expect.objectContaining({ code: 'STORE_CORRUPT' }));
      await expect(make(path).put('a', 'b', 'forever')).rejects.toThrow(expect.objectContaining({ code: 'STORE_CORRUPT' }));
      expect(readFileSync(path, 'utf8')).toBe(damaged);
    });
  });
}
