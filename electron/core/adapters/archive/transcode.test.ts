import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countZip } from './import-zip.ts';
import { inChunks, storedZip, summaryOf, type FixtureEntry } from './stored-zip.fixture.ts';
import { transcode } from './transcode.ts';
import { FILE_TYPE, FLAG } from './zip-format.ts';

const LIMITS = { maxArchiveBytes: 1e9, maxEntries: 100_000 };
let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vessel-zip-')); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const run = (bytes: Buffer, entries: number, limits: Partial<typeof LIMITS> = {}, chunk?: number): Promise<Buffer> =>
  buffer(transcode(inChunks(bytes, chunk), Promise.resolve(summaryOf(entries)), { ...LIMITS, ...limits, signal: new AbortController().signal }).content);
const code = (name: string): unknown => expect.objectContaining({ code: name });

const text = Buffer.from('The quick brown fox jumps over the lazy dog.\n'.repeat(80_000));
const noise = randomBytes(3_500_000);
const TREE: readonly FixtureEntry[] = [
  { name: 'empty/' }, { name: 'src/' }, { name: 'src/größe ✓.txt', data: 'héllo' }, { name: 'src/back\\slash', data: 'x'.repeat(500) },
  { name: 'run.sh', data: '#!/bin/sh\necho run\n'.repeat(20), mode: FILE_TYPE.file | 0o755 }, { name: 'link', data: 'src/größe ✓.txt', mode: FILE_TYPE.link | 0o777 },
  { name: 'zero', data: '' }, { name: 'big.txt', data: text }, { name: 'noise.bin', data: noise }, { name: 'picture.png', data: noise.subarray(0, 1_500_000) },
  { name: 'exact', data: text.subarray(0, 1024 * 1024) }, { name: 'two', data: text.subarray(0, 2 * 1024 * 1024) },
];

describe('transcoding a guest’s stored zip', () => {
  it('makes an archive that unzip, bsdtar, python and yauzl all read back the same', async () => {
    const zip = await run(storedZip(TREE), TREE.length);
    const path = join(folder, 'out.zip');
    writeFileSync(path, zip);
    expect(zip.length).toBeLessThan(storedZip(TREE).length - text.length);
    expect(execFileSync('unzip', ['-tq', path], { encoding: 'utf8' })).toContain('No errors');
    execFileSync('python3', ['-c', 'import sys,zipfile\nassert zipfile.ZipFile(sys.argv[1]).testzip() is None', path]);
    expect(await countZip(path)).toMatchObject({ entries: TREE.length });
    const out = join(folder, 'out');
    execFileSync('mkdir', [out]);
    execFileSync('bsdtar', ['-xf', path, '-C', out], { env: { ...process.env, LC_ALL: 'C.UTF-8' } });
    for (const { name, data } of TREE) {
      const shown = join(out, String(name));
      if (name === 'link') expect(readlinkSync(shown)).toBe(data);
      else if (!String(name).endsWith('/')) expect(readFileSync(shown).equals(Buffer.from(data ?? '')), String(name)).toBe(true);
    }
    expect(statSync(join(out, 'run.sh')).mode & 0o777).toBe(0o755);
    expect(statSync(join(out, 'run.sh')).mtimeMs).toBe(1_700_000_000_000);
    expect(statSync(join(out, 'empty')).isDirectory()).toBe(true);
  });

  it('can be read as a stream, without looking at its end first', async () => {
    const zip = await run(storedZip(TREE), TREE.length);
    const listed = execFileSync('bsdtar', ['-tf', '-'], { input: zip, encoding: 'utf8', env: { ...process.env, LC_ALL: 'C.UTF-8' } });
    expect(listed.trim().split('\n')).toHaveLength(TREE.length);
  });

  it('gives equal bytes for equal content, however it arrives', async () => {
    const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
    const stored = storedZip(TREE);
    expect(hash(await run(stored, TREE.length, {}, 65_536))).toBe(hash(await run(stored, TREE.length, {}, 777)));
  });

  it('makes an archive of nothing', async () => {
    const path = join(folder, 'none.zip');
    writeFileSync(path, await run(storedZip([]), 0));
    expect(await countZip(path)).toEqual({ entries: 0, files: 0, contentBytes: 0 });
  });

  it('tells what it counted, as the guest does: regular files only', async () => {
    const zip = transcode(inChunks(storedZip(TREE)), Promise.resolve(summaryOf(TREE.length)), { ...LIMITS, signal: new AbortController().signal });
    await buffer(zip.content);
    expect(await zip.count).toMatchObject({ entries: TREE.length, files: TREE.length - 3 });
  });

  it('fails at every place where the stream may be cut', async () => {
    const stored = storedZip(TREE.slice(0, 6));
    for (let at = 0; at < stored.length; at += 7) await expect(run(stored.subarray(0, at), 6), `cut at ${at}`).rejects.toThrow(code('ARCHIVE_CORRUPT'));
  });

  it('fails when something follows the end', async () => {
    await expect(run(Buffer.concat([storedZip([{ name: 'a' }]), Buffer.from('x')]), 1)).rejects.toThrow(code('ARCHIVE_CORRUPT'));
  });

  it('fails when any single byte is changed in the content, the headers or the directory', async () => {
    const stored = storedZip([{ name: 'a.txt', data: 'content' }, { name: 'b.txt', data: 'more' }]);
    // Fields that say nothing about the content: versions, DOS time, extra time, disk numbers, internal attributes, permission bits.
    const good = await run(stored, 2);
    let changed = 0;
    for (let at = 0; at < stored.length; at += 1) {
      const bytes = Buffer.from(stored);
      bytes[at] = (bytes[at] ?? 0) ^ 0x41;
      const outcome = await run(bytes, 2).catch((error: unknown) => error);
      if (Buffer.isBuffer(outcome)) { changed += 1; expect(outcome.length).toBe(good.length); } else expect(outcome).toMatchObject({ code: expect.stringMatching(/^ARCHIVE_/) as unknown });
    }
    expect(changed).toBeLessThan(stored.length / 2);
  });

  it.each([
    ['a parent', '../x'], ['a parent inside', 'a/../../x'], ['an absolute path', '/etc/passwd'], ['a part that Linux cannot make', 'a'.repeat(256)],
    ['a path too long to be opened again', `${'a/'.repeat(16_000)}b`], ['a zero byte', 'a\0b'],
    ['an empty part', 'a//b'], ['a dot', './a'], ['nothing', '/'],
  ])('refuses a name with %s', async (_why, name) => {
    await expect(run(storedZip([{ name }]), 1)).rejects.toThrow(code('ARCHIVE_UNSAFE'));
  });

  it('takes every name that Linux allows, also such as mean something on another system', async () => {
    const names = ['C:\\temp\\log.txt', '..\\x', '\\\\server\\share', 'c:', 'CON', 'a\nb', ' ', 'x'.repeat(255), `${'folder-in-folder/'.repeat(999)}b`].map((name) => Buffer.from(name)).concat(Buffer.from([0xff, 0xfe]));
    await expect(run(storedZip(names.map((name) => ({ name }))), names.length)).resolves.toBeInstanceOf(Buffer);
  });

  it.each([
    ['the same file twice', ['a', 'a']], ['the same folder twice', ['a/', 'a/']], ['a file and a folder of one name', ['a', 'a/']], ['a folder and a file of one name', ['a/', 'a']],
    ['an entry below a file', ['a', 'a/b']], ['a file where entries lie below', ['a/b', 'a']], ['an entry far below a link', ['x/l', 'x/l/y/z']],
  ])('refuses %s', async (_why, names) => {
    await expect(run(storedZip(names.map((name) => ({ name }))), names.length)).rejects.toThrow(code('ARCHIVE_UNSAFE'));
  });

  it('refuses devices', async () => {
    await expect(run(storedZip([{ name: 'sda', mode: 0o060660 }]), 1)).rejects.toThrow(code('ARCHIVE_UNSAFE'));
  });

  it('refuses a directory that tells another story than the entries', async () => {
    const entries = [{ name: 'a', data: 'one' }, { name: 'b', data: 'two' }];
    await expect(run(storedZip(entries, { central: (record, index) => (index === 1 ? { ...record, name: Buffer.from('c') } : record) }), 2)).rejects.toThrow(code('ARCHIVE_CORRUPT'));
    await expect(run(storedZip(entries, { central: (record) => ({ ...record, offset: record.offset + 1 }) }), 2)).rejects.toThrow(code('ARCHIVE_CORRUPT'));
  });

  it('refuses encryption, compression and descriptors, which a guest never sends', async () => {
    for (const harm of [{ flags: FLAG.encrypted }, { flags: FLAG.descriptor }, { method: 8 }]) {
      await expect(run(storedZip([{ name: 'a', data: 'x' }], { local: (record) => ({ ...record, ...harm }) }), 1)).rejects.toThrow(code('ARCHIVE_CORRUPT'));
    }
  });

  it('keeps to the limits of entries and bytes', async () => {
    const entries = Array.from({ length: 20 }, (_, index) => ({ name: `f${index}`, data: 'x'.repeat(100) }));
    await expect(run(storedZip(entries), 20, { maxEntries: 19 })).rejects.toThrow(code('ARCHIVE_TOO_LARGE'));
    await expect(run(storedZip(entries), 20, { maxArchiveBytes: 1999 })).rejects.toThrow(code('ARCHIVE_TOO_LARGE'));
    // A header may claim any size: it is refused before a byte of it is awaited.
    await expect(run(storedZip([{ name: 'a' }], { local: (record) => ({ ...record, size: 4e9, compressedSize: 4e9 }) }), 1)).rejects.toThrow(code('ARCHIVE_TOO_LARGE'));
  });

  it('fails without the guest’s summary, and when the summary counts otherwise', async () => {
    const stored = storedZip([{ name: 'a', data: 'x' }]);
    await expect(run(stored, 2)).rejects.toThrow(code('ARCHIVE_CORRUPT'));
    const cut = Promise.reject(new Error('cut'));
    cut.catch(() => undefined);
    await expect(buffer(transcode(inChunks(stored), cut, { ...LIMITS, signal: new AbortController().signal }).content)).rejects.toThrow('cut');
  });

  it('stops when it is cancelled', async () => {
    const abort = new AbortController();
    const zip = transcode(inChunks(storedZip(TREE)), Promise.resolve(summaryOf(TREE.length)), { ...LIMITS, signal: abort.signal });
    abort.abort();
    await expect(buffer(zip.content)).rejects.toThrow(code('CANCELLED'));
  });
});
