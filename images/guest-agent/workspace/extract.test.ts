import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync, crc32 } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { VesselError } from '#shared/vessel-error.ts';
import { rawZip, type RawEntry } from '../testing/raw-zip.ts';
import { extractArchive } from './extract.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vessel-extract-'));
  mkdirSync(join(folder, 'workspace'));
});
afterEach(() => { rmSync(folder, { recursive: true }); });

const workspace = (...parts: readonly string[]): string => join(folder, 'workspace', ...parts);
async function extract(zip: Buffer, options: { readonly links?: 'refuse' | 'keep'; readonly maxBytes?: number; readonly maxEntries?: number } = {}): Promise<unknown> {
  writeFileSync(join(folder, 'in.zip'), zip);
  return extractArchive(join(folder, 'in.zip'), workspace(), { links: 'refuse', maxBytes: 1e7, maxEntries: 100, owner: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }, ...options });
}
async function codeOf(zip: Buffer, options?: Parameters<typeof extract>[1]): Promise<string> {
  try {
    await extract(zip, options);
    return 'accepted';
  } catch (error) {
    return VesselError.from(error).code;
  }
}

const LINK = 0o120777;
const ok: RawEntry = { name: 'first.txt', content: 'fine' };
const zeros = deflateRawSync(Buffer.alloc(5_000_000));

const HOSTILE: readonly (readonly [string, string, readonly RawEntry[]])[] = [
  ['an absolute path', 'ARCHIVE_UNSAFE', [{ name: '/etc/x' }]],
  ['dots that climb', 'ARCHIVE_UNSAFE', [{ name: 'a/../../x' }]],
  ['dots alone', 'ARCHIVE_UNSAFE', [{ name: '..' }]],
  ['dots behind ./', 'ARCHIVE_UNSAFE', [{ name: './../x' }]],
  ['a backslash', 'ARCHIVE_UNSAFE', [{ name: '..\\x' }]],
  ['backslashes of another system that climb', 'ARCHIVE_UNSAFE', [{ name: 'a\\..\\..\\x', madeBy: 0 }]],
  ['a drive of another system', 'ARCHIVE_UNSAFE', [{ name: 'C:\\x', madeBy: 0 }]],
  ['a NUL', 'ARCHIVE_UNSAFE', [{ name: 'a\0b' }]],
  ['an empty name', 'ARCHIVE_UNSAFE', [{ name: '' }]],
  ['an empty part', 'ARCHIVE_UNSAFE', [{ name: 'a//b' }]],
  ['a name too long for the kernel', 'ARCHIVE_UNSAFE', [{ name: 'x'.repeat(256) }]],
  ['a path too long', 'ARCHIVE_UNSAFE', [{ name: 'abcdefg/'.repeat(4001) + 'x' }]],
  ['folders too deep', 'ARCHIVE_UNSAFE', [{ name: 'a/'.repeat(1001) + 'x' }]],
  ['a name twice', 'ARCHIVE_UNSAFE', [{ name: 'a' }, { name: 'a' }]],
  ['the same name behind ./', 'ARCHIVE_UNSAFE', [{ name: 'a' }, { name: './a' }]],
  ['a file used as a folder', 'ARCHIVE_UNSAFE', [{ name: 'a' }, { name: 'a/b' }]],
  ['a folder that becomes a file', 'ARCHIVE_UNSAFE', [{ name: 'a/b' }, { name: 'a' }]],
  ['an entry through a link', 'ARCHIVE_UNSAFE', [{ name: 'a', mode: LINK, content: '.' }, { name: 'a/b' }]],
  ['a link placed over a folder in use', 'ARCHIVE_UNSAFE', [{ name: 'a/b' }, { name: 'a', mode: LINK, content: '/tmp' }]],
  ['a link to an absolute path', 'ARCHIVE_UNSAFE', [{ name: 'a', mode: LINK, content: '/etc/passwd' }]],
  ['a link that climbs out', 'ARCHIVE_UNSAFE', [{ name: 'd/a', mode: LINK, content: '../../x' }]],
  ['a link out through another link', 'ARCHIVE_UNSAFE', [{ name: 'here', mode: LINK, content: '.' }, { name: 'p/a', mode: LINK, content: '../here/../x' }]],
  ['links that never end', 'ARCHIVE_UNSAFE', [{ name: 'a', mode: LINK, content: 'b' }, { name: 'b', mode: LINK, content: 'a' }]],
  ['a link with an empty target', 'ARCHIVE_UNSAFE', [{ name: 'a', mode: LINK, content: '' }]],
  ['a link with an endless target', 'ARCHIVE_UNSAFE', [{ name: 'a', mode: LINK, content: 'x'.repeat(5000) }]],
  ['a device', 'ARCHIVE_UNSAFE', [{ name: 'a', mode: 0o060644 }]],
  ['a named pipe', 'ARCHIVE_UNSAFE', [{ name: 'a', mode: 0o010644 }]],
  ['an encrypted entry', 'ARCHIVE_UNSAFE', [{ name: 'a', content: 'x', flags: 1 }]],
  ['overlapping entries', 'ARCHIVE_UNSAFE', [{ name: 'a', content: 'x' }, { name: 'b', content: 'x', offset: 0 }]],
  ['an unknown compression method', 'ARCHIVE_CORRUPT', [{ name: 'a', content: 'x', method: 12 }]],
  ['more content than declared', 'ARCHIVE_CORRUPT', [{ name: 'a', content: zeros, method: 8, size: 10 }]],
  ['more content than declared, large', 'ARCHIVE_CORRUPT', [{ name: 'a', content: deflateRawSync(Buffer.alloc(9_000_000)), method: 8, size: 4_900_000 }]],
  ['less content than declared', 'ARCHIVE_CORRUPT', [{ name: 'a', content: zeros, method: 8, size: 5_000_001, crc: crc32(Buffer.alloc(5_000_000)) }]],
  ['a wrong checksum', 'ARCHIVE_CORRUPT', [{ name: 'a', content: 'x', crc: 1 }]],
  ['data that are not deflated', 'ARCHIVE_CORRUPT', [{ name: 'a', content: 'garbage garbage', method: 8, size: 100 }]],
  ['a local header with another name', 'ARCHIVE_CORRUPT', [{ name: 'a', localName: 'b', content: 'x' }]],
  ['data beyond the archive', 'ARCHIVE_CORRUPT', [{ name: 'a', content: 'x', size: 1000, compressedSize: 1000 }]],
  ['a bomb', 'ARCHIVE_TOO_LARGE', [{ name: 'a', content: zeros, method: 8, size: 2_000_000_000 }]],
  ['too many entries', 'ARCHIVE_TOO_LARGE', Array.from({ length: 200 }, (_, index) => ({ name: `f${index}` }))],
];

test.each(HOSTILE)('%s is refused as %s and nothing stays', async (_, code, entries) => {
  expect(await codeOf(rawZip([ok, ...entries]))).toBe(code);
  expect(readdirSync(workspace())).toEqual([]);
});

test('a truncated archive and a file that is no archive are ARCHIVE_CORRUPT', async () => {
  const zip = rawZip([ok]);
  for (const bad of [zip.subarray(0, zip.length - 5), zip.subarray(0, 20), Buffer.alloc(0), Buffer.from('not a zip at all, really not one'), Buffer.concat([Buffer.from('prefix'), zip])]) {
    expect(await codeOf(bad)).toBe('ARCHIVE_CORRUPT');
  }
});

test('a workspace with content is a CONFLICT and stays as it is', async () => {
  writeFileSync(workspace('mine'), 'precious');
  expect(await codeOf(rawZip([ok]))).toBe('CONFLICT');
  expect(readFileSync(workspace('mine'), 'utf8')).toBe('precious');
});

test('links=keep creates escaping links as they are, and still writes nothing through a link', async () => {
  await extract(rawZip([ok, { name: 'out', mode: LINK, content: '/etc/passwd' }, { name: 'back\\slash', content: 'x' }]), { links: 'keep' });
  expect(readlinkSync(workspace('out'))).toBe('/etc/passwd');
  expect(readFileSync(workspace('back\\slash'), 'utf8')).toBe('x');
  rmSync(workspace(), { recursive: true });
  mkdirSync(workspace());
  expect(await codeOf(rawZip([{ name: 'out', mode: LINK, content: folder }, { name: 'out/evil', content: 'x' }]), { links: 'keep' })).toBe('ARCHIVE_UNSAFE');
  expect(existsSync(join(folder, 'evil'))).toBe(false);
});

test('names of old archives are read as UTF-8 when they are, else as code page 437 or raw bytes by their system', async () => {
  await extract(rawZip([
    { name: Buffer.from('grün.txt') },
    { name: Buffer.from([0x81, 0x2e, 0x74]), madeBy: 0 },
    { name: Buffer.from([0x61, 0xff]), madeBy: 3 },
  ]));
  expect(readdirSync(workspace(), 'buffer').map((name) => name.toString('latin1')).sort()).toEqual([Buffer.from('grün.txt').toString('latin1'), Buffer.from('ü.t').toString('latin1'), 'a\xff'].sort());
});

test('set-id bits are dropped, ./ is understood, modes and implied folders are right', async () => {
  await extract(rawZip([{ name: './', mode: 0o040755 }, { name: './a/b/run', mode: 0o104755, content: deflateRawSync(Buffer.from('hello')), method: 8, size: 5, crc: crc32('hello') }]));
  expect(statSync(workspace('a/b/run')).mode & 0o7777).toBe(0o755);
  expect(readFileSync(workspace('a/b/run'), 'utf8')).toBe('hello');
});
