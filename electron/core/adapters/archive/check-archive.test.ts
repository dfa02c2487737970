import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkArchive } from './check-archive.ts';
import { inChunks, storedZip, summaryOf, type FixtureEntry } from './stored-zip.fixture.ts';
import { transcode } from './transcode.ts';

const OPTIONS = { maxArchiveBytes: 1e9, maxEntries: 1000, signal: new AbortController().signal };
let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vessel-check-')); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const code = (name: string): unknown => expect.objectContaining({ code: name });
async function archiveOf(entries: readonly FixtureEntry[]): Promise<Buffer> {
  return buffer(transcode(inChunks(storedZip(entries)), Promise.resolve(summaryOf(entries.length)), OPTIONS).content);
}
function check(zip: Buffer, options: Partial<typeof OPTIONS> = {}): ReturnType<typeof checkArchive> {
  writeFileSync(join(folder, 'a.zip'), zip);
  return checkArchive(join(folder, 'a.zip'), { ...OPTIONS, ...options });
}

const TREE: readonly FixtureEntry[] = [{ name: 'a/' }, { name: 'a/b.txt', data: 'words '.repeat(50_000) }, { name: 'c', data: 'stored' }];

it('finds an archive sound and counts it', async () => {
  expect(await check(await archiveOf(TREE))).toEqual({ entries: 3, files: 2, contentBytes: 300_006 });
});

it('finds every byte of content and directory that is wrong, also where the hash of the file would be the same', async () => {
  const zip = await archiveOf(TREE);
  let found = 0;
  for (let at = 0; at < zip.length; at += 3) {
    const bytes = Buffer.from(zip);
    bytes[at] = (bytes[at] ?? 0) ^ 0x55;
    found += await check(bytes).then(() => 0, () => 1);
  }
  // What is left says nothing of the content: versions, DOS times, permission bits, the local headers' repetitions.
  expect(found).toBeGreaterThan(zip.length / 3 / 2);
});

it('applies the limits that an open applies', async () => {
  const zip = await archiveOf(TREE);
  await expect(check(zip, { maxEntries: 2 })).rejects.toThrow(code('ARCHIVE_TOO_LARGE'));
  await expect(check(zip, { maxArchiveBytes: 300_000 })).rejects.toThrow(code('ARCHIVE_TOO_LARGE'));
});

it('refuses a name that could not be made again', async () => {
  const zip = await archiveOf([{ name: 'x'.repeat(20), data: 'x' }]);
  const long = Buffer.from(zip.toString('latin1').replaceAll('x'.repeat(20), `../${'x'.repeat(17)}`), 'latin1');
  await expect(check(long)).rejects.toThrow(code('ARCHIVE_UNSAFE'));
});
