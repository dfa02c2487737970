import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createGzip, gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packOnce, packedBefore, parcelOf } from './pack.ts';

describe('what is packed to be sent', () => {
  let folder = '';
  let read = 0;
  const source = (): Readable => { read += 1; return Readable.from([Buffer.alloc(100_000, 'vessel')]); };
  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vpack-')); read = 0; });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const hash = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

  it('leaves nothing behind when its source breaks', async () => {
    await expect(packOnce(join(folder, 'a.gz'), () => Readable.from((async function* () { yield Buffer.from('x'); await Promise.reject(new Error('gone')); })()), createGzip, undefined)).rejects.toThrow('gone');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is packed once, by whoever asks first, and carries the hashes of both sides', async () => {
    const path = join(folder, 'deep', 'a.gz');
    const [one, other] = await Promise.all([packOnce(path, source, createGzip, undefined), packOnce(path, source, createGzip, undefined)]);
    expect([read, one]).toEqual([1, other]);
    const content = readFileSync(path);
    expect(one).toEqual({ path, bytes: content.length, sha256: hash(content), unpackedSha256: hash(gunzipSync(content)) });
    expect(await packOnce(path, source, createGzip, undefined)).toEqual(one);
    expect(await parcelOf(path)).toEqual({ path, bytes: content.length, sha256: one.sha256 });
    expect(read).toBe(1);
  });

  it('is packed anew when the file was damaged', async () => {
    const path = join(folder, 'a.gz');
    const before = await packOnce(path, source, createGzip, undefined);
    truncateSync(path, 10);
    expect(await packedBefore(path)).toBeNull();
    expect(await packOnce(path, source, createGzip, undefined)).toEqual(before);
  });
});
