import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VesselError } from '#shared/errors.ts';
import { importZip } from '../../electron/core/adapters/archive/import-zip.ts';
import { field, LINK_MODE, ntfsTime, oddZip, overlapBomb, unicodePath, unixTime, UTF8, type OddEntry, type OddZip } from '../../electron/core/adapters/archive/odd-zip.fixture.ts';
import { extractArchive } from '../../images/guest-agent/workspace/extract.ts';

/**
 * What the desktop imports, the guest can open. Each archive of the table goes through the desktop's import and, as it is, through the
 * guest's unpacking; what was imported is then unpacked as an open does it. Ordinary ones are compared with Info-ZIP's unzip as well.
 */
let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vessel-verdicts-')); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const LIMITS = { maxEntries: 100, maxArchiveBytes: 10_000_000 };
const hasUnzip = (() => { try { execFileSync('unzip', ['-v']); return true; } catch { return false; } })();
/** 2024-05-06 07:08:10 as DOS writes it. */
const DOS = { dosDate: ((2024 - 1980) << 9) | (5 << 5) | 6, dosTime: (7 << 11) | (8 << 5) | 5 };
const ok: OddEntry = { name: 'first.txt', content: 'fine', extra: unixTime(1_700_000_000) };
const link = (name: string, target: string): OddEntry => ({ name, content: target, mode: LINK_MODE });
const dos = (name: string | Buffer, content = 'x'): OddEntry => ({ name, content, madeBy: 0 });

type Row = {
  readonly title: string;
  readonly zip: Buffer;
  /** The guest never meets it in this form: the import rewrites it. */
  readonly mended?: boolean;
  /** Info-ZIP makes the same files of it. */
  readonly unzip?: boolean;
  /** Made by a system whose names are foreign to Linux. */
  readonly foreign?: boolean;
};
const row = (title: string, entries: readonly OddEntry[], more: Omit<Row, 'title' | 'zip' | 'foreign'> & OddZip = {}): Row => ({ title, zip: oddZip([ok, ...entries], more), foreign: entries.some(({ madeBy = 3 }) => madeBy !== 3 && madeBy !== 19), ...more });

const ACCEPTED: readonly Row[] = [
  row('plain', [{ name: 'a/b.txt', content: 'x' }], { unzip: true }),
  row('deflated, with a descriptor', [{ name: 'a', content: 'x'.repeat(5000), deflate: true, descriptor: true }], { unzip: true }),
  row('Zip64 numbers everywhere', [{ name: 'a', content: 'x', zip64: true }], { zip64: true, unzip: true }),
  row('folders named before, after and again', [{ name: 'd/' }, { name: 'd/a', content: 'x' }, { name: 'd/' }, { name: 'e/f', content: 'y' }, { name: 'e/' }], { unzip: true }),
  row('./ in front and inside', [{ name: './' }, { name: './a', content: 'x' }, { name: 'b/./c', content: 'y' }], { unzip: true }),
  row('backslashes of DOS', [dos('shop\\src\\a.js'), { name: 'shop\\lib\\', madeBy: 0, attributes: 0x10 }], { unzip: true }),
  row('a folder of DOS without a closing separator', [{ name: 'shop', madeBy: 0, attributes: 0x10 }, dos('shop\\a')], { mended: true }),
  row('backslashes of Linux', [{ name: 'C:\\temp\\log.txt', content: 'x' }, { name: '..\\x', content: 'y' }], { unzip: true }),
  row('a backslash where the name has slashes, of Unix', [{ name: 'a/b\\c', content: 'x' }], { unzip: true }),
  row('a Unicode path', [{ name: '?.txt', content: '1', extra: unicodePath('?.txt', 'ж.txt') }, { name: '?.txt', content: '2', extra: unicodePath('?.txt', 'д.txt') }], { unzip: true }),
  row('a Unicode path of an older name', [{ name: 'new.txt', content: '1', extra: unicodePath('old.txt', 'stale.txt') }], { unzip: true }),
  row('UTF-8 that is flagged', [{ name: 'größe.txt', content: 'x', flags: UTF8 }], { unzip: true }),
  row('UTF-8 that is not flagged', [{ name: 'größe.txt', content: 'x' }], { unzip: true }),
  row('bytes of another encoding, of Unix', [{ name: Buffer.from([0x61, 0xfc, 0x62]), content: 'x' }], { unzip: true }),
  row('bytes that no encoding knows, of Unix', [{ name: Buffer.from([0x61, 0xff, 0xfe]), content: 'x' }], {}),
  row('code page 437 of DOS', [dos(Buffer.from([0x81, 0x2e, 0x74]))], {}),
  row('flagged as UTF-8 and is not', [{ name: Buffer.from([0x61, 0xff]), content: 'x', flags: UTF8 }], { mended: true }),
  row('times of Unix and DOS', [{ name: 'unix', extra: unixTime(1_600_000_000) }, { name: 'dos', ...DOS }], { unzip: true }),
  row('times of NTFS', [{ name: 'ntfs', extra: ntfsTime(1_600_000_001), ...DOS }], {}),
  row('modes', [{ name: 'run', content: 'x', mode: 0o100755 }, { name: 'secret', content: 'x', mode: 0o100600 }, { name: 'p/', mode: 0o040700 }], { unzip: true }),
  row('links that stay', [link('l', 'first.txt'), link('d/up', '../first.txt'), link('dangling', 'nothing')], { unzip: true }),
  row('links that lead out', [link('env/bin/python3', '/usr/bin/python3'), link('up', '../../x'), link('a/s', '..'), link('through', 'a/s/../..'), link('round', 'round')], {}),
  row('made on macOS', [{ name: 'a', content: 'x', madeBy: 19 }], {}),
  row('made on NTFS', [{ name: 'a\\b', content: 'x', madeBy: 10 }], {}),
  row('unknown extra fields, comments, odd padding', [{ name: 'a', content: 'x', extra: Buffer.concat([field(0x7875, Buffer.alloc(11)), field(0xcafe, Buffer.alloc(0))]), comment: 'hello' }], { comment: 'a zip', unzip: true }),
  row('a cut-off extra field', [{ name: 'a', content: 'x', extra: Buffer.from([1, 2, 0xff]), localExtra: Buffer.alloc(0) }], {}),
  row('a longest name', [{ name: 'x'.repeat(255), content: 'x' }], { unzip: true }),
  row('a longest path', [{ name: `${'a'.repeat(250)}/`.repeat(15) + 'f', content: 'x' }], {}),
  row('a longest target', [link('l', 'x'.repeat(4095))], {}),
  row('names that look like options, or like nothing', [{ name: '-rf', content: 'x' }, { name: ' ', content: 'y' }, { name: '...', content: 'z' }], { unzip: true }),
  row('control characters', [{ name: 'a\u001b[31m\n', content: 'x' }], {}),
  row('names that differ by case', [{ name: 'A', content: '1' }, { name: 'a', content: '2' }], { unzip: true }),
  row('set-id bits', [{ name: 'run', content: 'x', mode: 0o104755 }], {}),
  row('another name in the local header', [{ name: 'a', localName: 'b', content: 'x' }], { mended: true }),
  row('a program in front of it', [{ name: 'a', content: 'x' }], { prefix: Buffer.from('#!/bin/sh\nexec unzip "$0"\n'), mended: true }),
  row('a program in front of it, offsets adjusted', [{ name: 'a', content: 'x' }], { prefix: Buffer.alloc(100, 1), adjusted: true, unzip: true }),
  row('a program in front of a Zip64 archive', [{ name: 'a', content: 'x' }], { prefix: Buffer.alloc(100, 1), zip64: true, mended: true }),
  row('garbage behind it', [{ name: 'a', content: 'x' }], { trailing: Buffer.from('\r\n-- boundary --\r\n'), mended: true }),
  row('an end record in its comment', [{ name: 'a', content: 'x' }], { comment: `PK\u0005\u0006${'\0'.repeat(16)}`, mended: true }),
];

const REFUSED: readonly (Row & { readonly code: string })[] = ([
  ['ARCHIVE_UNSAFE', row('an absolute path', [{ name: '/etc/cron.d/x' }])],
  ['ARCHIVE_UNSAFE', row('dots that climb', [{ name: 'a/../../x' }])],
  ['ARCHIVE_UNSAFE', row('dots alone', [{ name: '..' }])],
  ['ARCHIVE_UNSAFE', row('dots behind ./', [{ name: './../x' }])],
  ['ARCHIVE_UNSAFE', row('dots inside that stay', [{ name: 'a/../x' }])],
  ['ARCHIVE_UNSAFE', row('backslashes of DOS that climb', [dos('..\\..\\x')])],
  ['ARCHIVE_UNSAFE', row('backslashes of DOS beside slashes', [dos('a/..\\x')])],
  ['ARCHIVE_UNSAFE', row('a drive', [dos('C:\\x')])],
  ['ARCHIVE_UNSAFE', row('a drive with slashes', [dos('C:/x')])],
  ['ARCHIVE_UNSAFE', row('a share', [dos('\\\\server\\share\\x')])],
  ['ARCHIVE_UNSAFE', row('a Unicode path that climbs', [{ name: 'a', extra: unicodePath('a', '../x') }])],
  ['ARCHIVE_UNSAFE', row('a Unicode path over another name', [{ name: 'a', extra: unicodePath('a', 'first.txt') }])],
  ['ARCHIVE_UNSAFE', row('a zero byte', [{ name: 'a\0b' }])],
  ['ARCHIVE_UNSAFE', row('no name', [{ name: '' }])],
  ['ARCHIVE_UNSAFE', row('only a slash', [{ name: '/' }])],
  ['ARCHIVE_UNSAFE', row('an empty part', [{ name: 'a//b' }])],
  ['ARCHIVE_UNSAFE', row('a name of 256 bytes', [{ name: 'x'.repeat(256) }])],
  ['ARCHIVE_UNSAFE', row('a name of 304 bytes in 152 characters', [{ name: 'é'.repeat(152), flags: UTF8 }])],
  ['ARCHIVE_UNSAFE', row('a path too long', [{ name: `${'a'.repeat(250)}/`.repeat(128) + 'f' }])],
  ['ARCHIVE_UNSAFE', row('folders too deep', [{ name: `${'a/'.repeat(1001)}f` }])],
  ['ARCHIVE_UNSAFE', row('a name twice', [{ name: 'a' }, { name: 'a' }])],
  ['ARCHIVE_UNSAFE', row('the same name behind ./', [{ name: 'a' }, { name: './a' }])],
  ['ARCHIVE_UNSAFE', row('the same name by backslashes', [dos('d/a'), dos('d\\a')])],
  ['ARCHIVE_UNSAFE', row('a file used as a folder', [{ name: 'a' }, { name: 'a/b' }])],
  ['ARCHIVE_UNSAFE', row('a folder that becomes a file', [{ name: 'a/b' }, { name: 'a' }])],
  ['ARCHIVE_UNSAFE', row('a folder and a file of one name', [{ name: 'a/' }, { name: 'a' }])],
  ['ARCHIVE_UNSAFE', row('an entry through a link', [link('a', '.'), { name: 'a/b' }])],
  ['ARCHIVE_UNSAFE', row('an entry through a link that comes later', [{ name: 'a/b' }, link('a', '/tmp')])],
  ['ARCHIVE_UNSAFE', row('a link without a target', [link('a', '')])],
  ['ARCHIVE_UNSAFE', row('a link with a zero byte', [link('a', 'b\0c')])],
  ['ARCHIVE_UNSAFE', row('a link with a target too long', [link('a', 'x'.repeat(4096))])],
  ['ARCHIVE_UNSAFE', row('a link with a closing slash', [{ name: 'a/', content: 'b', mode: LINK_MODE }])],
  ['ARCHIVE_UNSAFE', row('a block device', [{ name: 'a', mode: 0o060644 }])],
  ['ARCHIVE_UNSAFE', row('a named pipe', [{ name: 'a', mode: 0o010644 }])],
  ['ARCHIVE_UNSAFE', row('a socket', [{ name: 'a', mode: 0o140644 }])],
  ['ARCHIVE_UNSAFE', row('a folder with content', [{ name: 'a/', content: 'x' }])],
  ['ARCHIVE_UNSAFE', row('an encrypted entry', [{ name: 'a', content: 'x', flags: 1 }])],
  ['ARCHIVE_UNSAFE', row('strong encryption', [{ name: 'a', content: 'x', flags: 0x41 }])],
  ['ARCHIVE_UNSAFE', row('masked headers', [{ name: 'a', content: 'x', flags: 0x2000 }])],
  ['ARCHIVE_UNSAFE', row('two entries with the same content', [{ name: 'a', content: 'x' }, { name: 'b', content: 'x', offset: 0 }])],
  ['ARCHIVE_UNSAFE', { title: 'an overlap bomb', zip: overlapBomb(40, 200_000), foreign: true }],
  ['ARCHIVE_CORRUPT', row('an unknown compression', [{ name: 'a', content: 'x', method: 12 }])],
  ['ARCHIVE_CORRUPT', row('stored with two sizes', [{ name: 'a', content: 'x', size: 2 }])],
  ['ARCHIVE_CORRUPT', row('more content than declared', [{ name: 'a', content: 'x'.repeat(50_000), deflate: true, size: 10 }])],
  ['ARCHIVE_CORRUPT', row('less content than declared', [{ name: 'a', content: 'x'.repeat(50_000), deflate: true, size: 50_001 }])],
  ['ARCHIVE_CORRUPT', row('much more content than declared', [{ name: 'a', content: Buffer.alloc(9_000_000), deflate: true, size: 4_500_000 }])],
  ['ARCHIVE_CORRUPT', row('an impossible compression', [{ name: 'a', content: 'x', deflate: true, size: 9_000_000 }])],
  ['ARCHIVE_CORRUPT', row('a wrong checksum', [{ name: 'a', content: 'x', crc: 1 }])],
  ['ARCHIVE_CORRUPT', row('content that is not deflated', [{ name: 'a', content: 'garbage garbage', method: 8, size: 100, crc: crc32('x') }])],
  ['ARCHIVE_CORRUPT', row('content beyond the archive', [{ name: 'a', content: 'x', size: 1000, compressedSize: 1000 }])],
  ['ARCHIVE_CORRUPT', row('an offset beyond the archive', [{ name: 'a', content: 'x', offset: 1_000_000 }])],
  ['ARCHIVE_CORRUPT', row('an offset where no entry is', [{ name: 'a', content: 'x'.repeat(100), compressedSize: 1, size: 1, offset: 60 }])],
  ['ARCHIVE_CORRUPT', { title: 'a cut-off end', zip: oddZip([ok]).subarray(0, -5) }],
  ['ARCHIVE_CORRUPT', { title: 'no zip', zip: Buffer.from('not a zip at all, really not one') }],
  ['ARCHIVE_CORRUPT', { title: 'nothing', zip: Buffer.alloc(0) }],
  ['ARCHIVE_CORRUPT', { title: 'a table of contents that was overwritten', zip: (() => { const zip = oddZip([ok]); zip.writeUInt32LE(0, zip.indexOf('PK\u0001\u0002')); return zip; })() }],
  ['ARCHIVE_TOO_LARGE', row('a bomb', [{ name: 'a', content: Buffer.alloc(11_000_000), deflate: true }])],
  ['ARCHIVE_TOO_LARGE', row('a bomb of many', Array.from({ length: 12 }, (_, index) => ({ name: `f${index}`, content: Buffer.alloc(900_000), deflate: true })))],
  ['ARCHIVE_TOO_LARGE', row('too many entries', Array.from({ length: 200 }, (_, index) => ({ name: `f${index}` })))],
] as const satisfies readonly (readonly [string, Row])[]).map(([code, item]) => ({ ...item, code }));

async function codeOf(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return 'accepted';
  } catch (error) {
    return VesselError.from(error).code;
  }
}

let made = 0;
const write = (zip: Buffer): string => { const path = join(folder, `${made += 1}.zip`); writeFileSync(path, zip); return path; };
async function imported(zip: Buffer): Promise<Buffer> {
  const { content, count } = await importZip(write(zip), { ...LIMITS, topFolder: 'keep', signal: new AbortController().signal });
  const bytes = await buffer(content);
  await count;
  return bytes;
}
async function unpacked(zip: Buffer, links: 'keep' | 'refuse'): Promise<string> {
  const out = join(folder, `out-${made += 1}`);
  mkdirSync(out);
  await extractArchive(write(zip), out, { maxBytes: LIMITS.maxArchiveBytes, maxEntries: LIMITS.maxEntries, links, owner: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 } });
  return out;
}

/** Everything below a folder by its path in bytes. */
function treeOf(root: string, compare: { readonly modes: boolean; readonly times: boolean }): Readonly<Record<string, unknown>> {
  const tree: Record<string, unknown> = {};
  const visit = (path: Buffer): void => {
    for (const name of readdirSync(Buffer.concat([Buffer.from(`${root}/`), path]), { encoding: 'buffer' })) {
      const inner = Buffer.concat([path, ...(path.length === 0 ? [] : [Buffer.from('/')]), name]);
      const place = Buffer.concat([Buffer.from(`${root}/`), inner]);
      const stat = lstatSync(place);
      tree[inner.toString('latin1')] = {
        content: stat.isSymbolicLink() ? `-> ${readlinkSync(place)}` : stat.isDirectory() ? 'folder' : readFileSync(place, 'latin1'),
        ...(compare.modes && !stat.isSymbolicLink() ? { mode: (stat.mode & 0o777).toString(8) } : {}),
        // A folder's time changes with what is put into it; a link's is not set by every program.
        ...(compare.times && stat.isFile() ? { mtime: Math.floor(stat.mtimeMs / 1000) } : {}),
      };
      if (stat.isDirectory()) visit(inner);
    }
  };
  visit(Buffer.alloc(0));
  return tree;
}

describe('an archive that the import takes', () => {
  it.each(ACCEPTED)('opens: $title', async ({ zip, mended = false, foreign = false }) => {
    const opened = await unpacked(await imported(zip), 'keep');
    const raw = await codeOf(async () => {
      const out = await unpacked(zip, foreign ? 'refuse' : 'keep');
      if (!mended) expect(treeOf(opened, { modes: true, times: false })).toEqual(treeOf(out, { modes: true, times: false }));
    });
    if (!mended) expect(raw).toBe('accepted');
  });

  it.for(ACCEPTED.filter(({ unzip }) => unzip === true))('is unpacked as Info-ZIP does it: $title', async ({ zip }, context) => {
    if (!hasUnzip) context.skip('unzip is not installed');
    const theirs = join(folder, 'theirs');
    mkdirSync(theirs);
    const path = write(zip);
    // Exit code 1 is a warning: backslashes, bytes in front.
    try {
      execFileSync('unzip', ['-q', '-o', path, '-d', theirs], { env: { ...process.env, LC_ALL: 'C.UTF-8' }, stdio: 'pipe' });
    } catch (error) {
      expect((error as { readonly status: unknown }).status).toBe(1);
    }
    expect(treeOf(await unpacked(await imported(zip), 'keep'), { modes: true, times: true })).toEqual(treeOf(theirs, { modes: true, times: true }));
  });
});

it.each(REFUSED)('$code by import and open alike: $title', async ({ zip, code, foreign = false }) => {
  expect({ import: await codeOf(() => imported(zip)), open: await codeOf(() => unpacked(zip, foreign ? 'refuse' : 'keep')) }).toEqual({ import: code, open: code });
});

it('says which entry it is, and how long its name', async () => {
  await expect(imported(oddZip([ok, { name: `a/${'n'.repeat(304)}` }]))).rejects.toThrow(/Entry "a\/nnn.* 304 bytes/);
});

it('takes times without a zone for this computer\'s, as Info-ZIP does', async () => {
  const before = process.env['TZ'];
  try {
    for (const zone of ['America/New_York', 'Asia/Tokyo']) {
      process.env['TZ'] = zone;
      const out = await unpacked(await imported(oddZip([{ name: 'a', ...DOS }])), 'keep');
      expect(lstatSync(join(out, 'a')).mtimeMs).toBe(new Date('2024-05-06T07:08:10').getTime());
    }
  } finally {
    if (before === undefined) delete process.env['TZ'];
    else process.env['TZ'] = before;
  }
});

it('keeps the time that NTFS tells', async () => {
  const out = await unpacked(await imported(oddZip([{ name: 'a', extra: ntfsTime(1_600_000_001), ...DOS }])), 'keep');
  expect(lstatSync(join(out, 'a')).mtimeMs).toBe(1_600_000_001_000);
});

it('the table is as large as it should be', () => {
  expect(ACCEPTED.length + REFUSED.length).toBeGreaterThan(90);
});
