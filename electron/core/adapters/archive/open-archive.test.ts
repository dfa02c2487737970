import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Edit, OpenArchive } from '../../ports/archive-reader.ts';
import { archiveReader } from './archive-reader.ts';
import { inChunks, storedZip, summaryOf, type FixtureEntry } from './stored-zip.fixture.ts';
import { transcode } from './transcode.ts';
import { FILE_TYPE } from './zip-format.ts';

let folder: string;
const opened: OpenArchive[] = [];
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vessel-open-')); });
afterEach(async () => { for (const archive of opened.splice(0)) await archive.close(); rmSync(folder, { recursive: true, force: true }); });

const signal = new AbortController().signal;
const limits = { maxArchiveBytes: 1e9, maxEntries: 1e5, signal };
const big = Buffer.from('All work and no play makes a dull archive.\n'.repeat(80_000));
const noise = randomBytes(2_500_000);
const TREE: readonly FixtureEntry[] = [
  { name: 'src/' }, { name: 'src/a.ts', data: 'export const a = 1;\n' }, { name: 'src/deep/' }, { name: 'src/deep/b.ts', data: big }, { name: 'src-old', data: 'x'.repeat(300) }, { name: 'größe ✓', data: 'héllo' },
  { name: Buffer.from([0x66, 0xfc, 0xff]), data: 'latin' }, { name: 'run', data: '#!/bin/sh\n', mode: FILE_TYPE.file | 0o4755 }, { name: 'link', data: 'src/a.ts', mode: FILE_TYPE.link | 0o777 }, { name: 'noise', data: noise }, { name: 'empty' }, { name: 'nothing/' },
];
let made = 0;
const write = (bytes: Buffer): string => { const path = join(folder, `${made += 1}.zip`); writeFileSync(path, bytes); return path; };
const packed = (entries: readonly FixtureEntry[]): Promise<Buffer> => buffer(transcode(inChunks(storedZip(entries), 65_536), Promise.resolve(summaryOf(entries.length)), limits).content);
const open = async (bytes: Buffer): Promise<OpenArchive> => { const archive = await archiveReader.open(write(bytes)); opened.push(archive); return archive; };
const tree = async (entries = TREE): Promise<OpenArchive> => open(await packed(entries));
const names = (entries: readonly { readonly path: string }[]): readonly string[] => entries.map(({ path }) => path);
const code = (name: string): unknown => expect.objectContaining({ code: name });

describe('an archive open for reading', () => {
  it('refuses what is no archive, and what was cut anywhere in its directory', async () => {
    const good = await packed(TREE.slice(0, 5));
    await expect(open(Buffer.from('no zip'))).rejects.toThrow(code('ARCHIVE_CORRUPT'));
    for (let at = good.length - 200; at < good.length; at += 7) await expect(open(good.subarray(0, at))).rejects.toThrow(code('ARCHIVE_CORRUPT'));
    await expect(archiveReader.open(join(folder, 'none.zip'))).rejects.toThrow(code('ARCHIVE_CORRUPT'));
  });

  it('lists a folder after the other, folders first, and keeps neighbours of similar names apart', async () => {
    const archive = await tree();
    expect(names(archive.children(''))).toEqual(['nothing', 'src', 'empty', 'f\\xfc\\xff', 'größe ✓', 'link', 'noise', 'run', 'src-old'].sort((a, b) => Number(!['nothing', 'src'].includes(a)) - Number(!['nothing', 'src'].includes(b)) || (a < b ? -1 : 1)));
    expect(names(archive.children('src'))).toEqual(['src/deep', 'src/a.ts']);
    expect(archive.children('nothing')).toEqual([]);
    expect(names(archive.below('src'))).toEqual(['src', 'src/a.ts', 'src/deep', 'src/deep/b.ts']);
    expect(() => archive.children('src/a.ts')).toThrow(code('NOT_FOUND'));
    expect(() => archive.below('srcx')).toThrow(code('NOT_FOUND'));
    expect(archive.totals).toMatchObject({ files: 8, folders: 3, links: 1 });
  });

  it('gives two names never the same path', async () => {
    const all: readonly Buffer[] = [Buffer.from([0xff]), Buffer.from('\\xff'), Buffer.from([0x5c, 0x78, 0x66, 0x66, 0xff]), Buffer.from([0xff, 0xff]), Buffer.from('\\x5cxff'), Buffer.from('C:\\temp\\x.txt'), Buffer.from('\\x5c')];
    const archive = await tree(all.map((name, index) => ({ name, data: `${index}` })));
    expect(archive.entries).toHaveLength(all.length);
    for (const { path } of archive.entries) expect((await archive.read(path, { maxBytes: 10, signal })).toString()).toBe(`${all.findIndex((name) => name.equals(archive.nameOf(path).name))}`);
    expect(archive.get('C:\\temp\\x.txt')).not.toBeNull();
  });

  it('knows folders that only paths imply', async () => {
    const archive = await open(storedZip([{ name: 'a/b/c.txt', data: 'x' }]));
    expect(names(archive.entries)).toEqual(['a', 'a/b', 'a/b/c.txt']);
    expect(names(archive.children('a/b'))).toEqual(['a/b/c.txt']);
  });

  it('reads any file by itself, small and large, stored and deflated, and a link as its target', async () => {
    const archive = await tree();
    const read = (path: string): Promise<Buffer> => archive.read(path, { maxBytes: 1e9, signal });
    expect((await read('src/a.ts')).toString()).toBe('export const a = 1;\n');
    expect((await read('src/deep/b.ts')).equals(big)).toBe(true);
    expect((await read('noise')).equals(noise)).toBe(true);
    expect((await read('empty')).length).toBe(0);
    expect((await read('f\\xfc\\xff')).toString()).toBe('latin');
    expect((await read('link')).toString()).toBe('src/a.ts');
    expect((await buffer(archive.stream('src/deep/b.ts', { signal }))).equals(big)).toBe(true);
    await expect(read('src')).rejects.toThrow(code('NOT_FOUND'));
    await expect(archive.read('noise', { maxBytes: 1000, signal })).rejects.toThrow(code('ARCHIVE_TOO_LARGE'));
  });

  it('fails for a damaged file and still reads the others', async () => {
    const bytes = Buffer.from(await packed(TREE));
    const at = bytes.indexOf(noise.subarray(1_000_000, 1_000_050));
    bytes[at] = (bytes[at] ?? 0) ^ 0xff;
    const archive = await open(bytes);
    await expect(archive.read('noise', { maxBytes: 1e9, signal })).rejects.toThrow(code('ARCHIVE_CORRUPT'));
    expect((await archive.read('src/a.ts', { maxBytes: 100, signal })).length).toBe(20);
  });

  it('ends a read that is cancelled', async () => {
    const archive = await tree();
    const abort = new AbortController();
    const reading = buffer(archive.stream('src/deep/b.ts', { signal: abort.signal }));
    abort.abort();
    await expect(reading).rejects.toThrow(code('CANCELLED'));
  });
});

describe('an archive made of another one', () => {
  const edited = async (base: OpenArchive, edits: Readonly<Record<string, Edit>>): Promise<OpenArchive> => open(await buffer(archiveReader.compose(base, new Map(Object.entries(edits)), limits).content));
  const content = (text: string, mode = 0o644): Edit => ({ kind: 'content', data: Buffer.from(text), mode, mtime: 1_700_000_123 });

  it('without edits has every name, mode, time and byte of the first', async () => {
    const base = await tree();
    const copy = await edited(base, {});
    expect(copy.entries.map(({ path, kind, size, mode, mtime, crc }) => ({ path, kind, size, mode, mtime, crc }))).toEqual(base.entries.map(({ path, kind, size, mode, mtime, crc }) => ({ path, kind, size, mode, mtime, crc })));
    expect(copy.nameOf('f\\xfc\\xff').name).toEqual(Buffer.from([0x66, 0xfc, 0xff]));
    expect((await copy.read('noise', { maxBytes: 1e9, signal })).equals(noise)).toBe(true);
  });

  it('changes, adds with folders, removes folders with all in them, and takes entries from another archive', async () => {
    const base = await tree();
    const other = await tree([{ name: 'bin', data: 'old', mode: FILE_TYPE.file | 0o755, mtime: 1_600_000_000 }]);
    const copy = await edited(base, { 'src/a.ts': content('changed'), 'docs/new/readme.md': content('hello'), 'src/deep': { kind: 'remove' }, run: { kind: 'remove' }, bin: { kind: 'take', from: other } });
    expect(names(copy.entries)).toEqual(['bin', 'docs', 'docs/new', 'docs/new/readme.md', 'empty', 'f\\xfc\\xff', 'größe ✓', 'link', 'noise', 'nothing', 'src', 'src/a.ts', 'src-old']);
    expect((await copy.read('src/a.ts', { maxBytes: 100, signal })).toString()).toBe('changed');
    expect(copy.get('bin')).toMatchObject({ mode: 0o755, mtime: 1_600_000_000 });
  });

  it.each(['../evil', '/etc/passwd', 'a//b', 'src/a.ts/below', 'nul\0'])('refuses the path %j', async (path) => {
    const base = await tree();
    await expect((async () => edited(base, { [path]: content('x') }))()).rejects.toThrow(code('BAD_REQUEST'));
  });
});

describe('copying out', () => {
  it('writes files, folders and links that stay inside, without set-id bits', async () => {
    const to = join(folder, 'out');
    expect(await archiveReader.copyOut(await tree(TREE.filter(({ name }) => typeof name === 'string')), [], to, signal)).toMatchObject({ files: 7 });
    expect(readFileSync(join(to, 'src/a.ts'), 'utf8')).toBe('export const a = 1;\n');
    expect(lstatSync(join(to, 'run')).mode & 0o7777).toBe(0o755);
    expect(readlinkSync(join(to, 'link'))).toBe('src/a.ts');
    expect(readdirSync(join(to, 'nothing'))).toEqual([]);
  });

  it('writes only what was asked for', async () => {
    const to = join(folder, 'some');
    mkdirSync(to);
    expect(await archiveReader.copyOut(await tree(), ['src/deep', 'run'], to, signal)).toMatchObject({ files: 2 });
    expect(readdirSync(to).sort()).toEqual(['run', 'src']);
    expect(readdirSync(join(to, 'src'))).toEqual(['deep']);
  });

  const link = (name: string, data: string): FixtureEntry => ({ name, data, mode: FILE_TYPE.link | 0o777 });

  it('does not make links that lead out, however they get there, and says which', async () => {
    const inside = [link('ok', 'a/file'), link('dangling', 'nothing'), link('a/root', '..'), link('seems-out', 'deep/../../x'), link('deep', 'a/b/c')];
    const outside = [
      link('absolute', '/etc/passwd'), link('climbs', '../../etc'), link('a/s', '..'), link('up', 'a/s/../x'), link('chain', 'up'), link('far', 'a/b/t/../../../..'), link('a/b/t', '../..'),
      link('round', 'round'), link('ring-a', 'ring-b'), link('ring-b', 'ring-a'), link('windows', '..\\..\\x'), link('drive', 'C:\\x'),
    ].filter(({ name }) => !['a/s', 'a/b/t'].includes(String(name)));
    const helpers = [link('a/s', '..'), link('a/b/t', '../..')];
    const to = join(folder, 'out');
    writeFileSync(join(folder, 'x'), 'beside');
    const archive = await tree([{ name: 'a/' }, { name: 'a/file', data: 'x' }, { name: 'a/b/' }, { name: 'a/b/c/' }, ...inside, ...outside, ...helpers]);
    const { leftOut, files } = await archiveReader.copyOut(archive, [], to, signal);
    expect(files).toBe(1);
    expect(leftOut.map(({ path }) => path).sort()).toEqual(outside.map(({ name }) => name).sort());
    for (const { name, data } of [...inside, ...helpers]) expect(readlinkSync(join(to, String(name)))).toBe(data);
    expect(readFileSync(join(to, 'ok'), 'utf8')).toBe('x');
  });

  it('judges links by all of the archive, also when only some are copied', async () => {
    const archive = await tree([{ name: 'a/' }, link('a/s', '..'), link('up', 'a/s/../x')]);
    const { leftOut } = await archiveReader.copyOut(archive, ['up'], join(folder, 'out'), signal);
    expect(leftOut).toEqual([{ path: 'up', reason: 'a link that leads out of the folder, to a/s/../x' }]);
    expect(readdirSync(join(folder, 'out'))).toEqual([]);
  });

  it('writes no name that is a path on another system, and writes names that are no text as they are', async () => {
    const to = join(folder, 'out');
    const raw = Buffer.from([0x66, 0xfc, 0xff]);
    const archive = await tree([{ name: 'C:\\temp\\log.txt', data: 'x' }, { name: '..\\evil', data: 'x' }, { name: 'd\\e/' }, { name: 'd\\e/f', data: 'x' }, { name: 'C:/' }, { name: 'C:/x', data: 'x' }, { name: raw, data: 'latin' }]);
    const { leftOut, files } = await archiveReader.copyOut(archive, [], to, signal);
    expect(files).toBe(1);
    expect(leftOut.map(({ path }) => path).sort()).toEqual(['..\\evil', 'C:', 'C:/x', 'C:\\temp\\log.txt', 'd\\e', 'd\\e/f']);
    expect(readdirSync(to, { encoding: 'buffer' })).toEqual([raw]);
  });

  it('writes nothing outside of its folder, whatever links an archive chains (a thousand at random)', async () => {
    let seed = 7;
    const random = (below: number): number => { seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648; return seed % below; };
    const pick = (from: readonly string[]): string => from[random(from.length)] ?? '';
    for (let round = 0; round < 40; round += 1) {
      const to = join(folder, `round-${round}`, 'out');
      const entries = Array.from({ length: 25 }, (_, index) => link(`${pick(['', 'a/', 'a/b/', 'c/'])}l${index}`, Array.from({ length: 1 + random(6) }, () => pick(['..', '.', 'a', 'b', 'c', `l${random(25)}`, '..'])).join('/')));
      const archive = await tree([{ name: 'a/' }, { name: 'a/b/' }, { name: 'c/' }, ...entries]);
      const { leftOut } = await archiveReader.copyOut(archive, [], to, signal);
      const left = new Set(leftOut.map(({ path }) => path));
      for (const { name } of entries) {
        if (left.has(String(name))) { expect(existsSync(join(to, String(name)))).toBe(false); continue; }
        const end = (() => { try { return realpathSync(join(to, String(name))); } catch { return to; } })();
        expect(end === to || end.startsWith(`${to}/`)).toBe(true);
      }
    }
  });

  it('leaves nothing behind for a damaged file or a cancel, and never touches what is there', async () => {
    const climbing = await open(storedZip([{ name: '../climb', data: 'x' }]));
    await expect(archiveReader.copyOut(climbing, [], join(folder, 'bad'), signal)).rejects.toThrow(code('ARCHIVE_UNSAFE'));
    expect(existsSync(join(folder, 'climb'))).toBe(false);
    const damaged = Buffer.from(await packed(TREE));
    damaged.fill(0, damaged.indexOf(noise.subarray(0, 50)), damaged.indexOf(noise.subarray(0, 50)) + 50);
    await expect(archiveReader.copyOut(await open(damaged), [], join(folder, 'bad'), signal)).rejects.toThrow(code('ARCHIVE_CORRUPT'));
    expect(existsSync(join(folder, 'bad'))).toBe(false);
    mkdirSync(join(folder, 'full'));
    writeFileSync(join(folder, 'full', 'mine'), 'precious');
    await expect(archiveReader.copyOut(await tree(), [], join(folder, 'full'), signal)).rejects.toThrow(code('CONFLICT'));
    expect(readFileSync(join(folder, 'full', 'mine'), 'utf8')).toBe('precious');
    await expect(archiveReader.copyOut(await tree(), [], 'relative', signal)).rejects.toThrow(code('BAD_REQUEST'));
  });
});
