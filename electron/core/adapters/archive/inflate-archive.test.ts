import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inflateArchive } from './inflate-archive.ts';
import { inChunks, storedZip, summaryOf, type FixtureEntry } from './stored-zip.fixture.ts';
import { transcode } from './transcode.ts';
import { FILE_TYPE } from './zip-format.ts';

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vessel-inflate-')); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const signal = new AbortController().signal;
const text = Buffer.from('The quick brown fox jumps over the lazy dog.\n'.repeat(90_000));
const TREE: readonly FixtureEntry[] = [
  { name: 'empty/' }, { name: 'größe ✓', data: 'héllo'.repeat(99) }, { name: Buffer.from([0x66, 0xfc, 0xff]), data: 'latin' }, { name: 'run', data: 'x', mode: FILE_TYPE.file | 0o755 },
  { name: 'l', data: 'run', mode: FILE_TYPE.link | 0o777 }, { name: 'zero' }, { name: 'big.txt', data: text }, { name: 'noise', data: randomBytes(2_500_000) }, { name: 'last', data: text.subarray(0, 1_048_576) },
];
const archive = (entries: readonly FixtureEntry[]): Promise<Buffer> =>
  buffer(transcode(inChunks(storedZip(entries), 65_536), Promise.resolve(summaryOf(entries.length)), { maxArchiveBytes: 1e9, maxEntries: 1e5, signal }).content);
const write = (bytes: Buffer): string => { const path = join(folder, 'a.zip'); writeFileSync(path, bytes); return path; };

describe('inflating one of Vessel’s archives for a guest', () => {
  it('gives back exactly the stored zip that it was made of', async () => {
    const zip = await inflateArchive(write(await archive(TREE)), { signal });
    expect((await buffer(zip.content)).equals(storedZip(TREE))).toBe(true);
    expect(await zip.count).toMatchObject({ entries: TREE.length, files: TREE.length - 2 });
  });
  it('gives back an archive of nothing', async () => {
    expect((await buffer((await inflateArchive(write(await archive([])), { signal })).content)).equals(storedZip([]))).toBe(true);
  });
  it('fails for damage anywhere in the content, and for an archive that was cut', async () => {
    const good = await archive(TREE.slice(0, 6));
    for (let at = 0; at < good.length; at += 11) {
      const path = write(good.subarray(0, at));
      await expect((async () => buffer((await inflateArchive(path, { signal })).content))(), `cut at ${at}`).rejects.toThrow(expect.objectContaining({ code: 'ARCHIVE_CORRUPT' }));
    }
    const large = await archive(TREE);
    for (let at = 2000; at < large.length - 2000; at += 150_000) {
      const harmed = Buffer.from(large);
      harmed[at] = (harmed[at] ?? 0) ^ 0xff;
      const path = write(harmed);
      await expect((async () => buffer((await inflateArchive(path, { signal })).content))(), `harmed at ${at}`).rejects.toThrow(expect.objectContaining({ code: 'ARCHIVE_CORRUPT' }));
    }
  });
});
