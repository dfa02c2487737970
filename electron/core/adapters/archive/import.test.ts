import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ImportZipOptions, ZipInTheMaking } from '../../ports/archiver.ts';
import { importFolder } from './import-folder.ts';
import { countZip, importZip } from './import-zip.ts';
import { LINK_MODE, oddZip, type OddEntry } from './odd-zip.fixture.ts';
import { openArchive } from './open-archive.ts';
import { inChunks, storedZip, summaryOf, type FixtureEntry } from './stored-zip.fixture.ts';
import { transcode } from './transcode.ts';
import { FILE_TYPE } from './zip-format.ts';

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vessel-import-')); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const options = (limits: Partial<ImportZipOptions> = {}): ImportZipOptions => ({ maxArchiveBytes: 1e9, maxEntries: 100_000, topFolder: 'strip', signal: new AbortController().signal, ...limits });
const write = (bytes: Buffer): string => { const path = join(folder, 'in.zip'); writeFileSync(path, bytes); return path; };
const zipOf = (entries: readonly FixtureEntry[]): string => write(storedZip(entries));
/** Writes the result and unpacks it with libarchive. */
async function unpack(zip: ZipInTheMaking): Promise<string> {
  const path = join(folder, 'made.zip');
  writeFileSync(path, await buffer(zip.content));
  const out = mkdtempSync(join(folder, 'out-'));
  execFileSync('bsdtar', ['-xf', path, '-C', out], { env: { ...process.env, LC_ALL: 'C.UTF-8' } });
  return out;
}

describe('importing a zip from elsewhere', () => {
  it.each([
    ['a path that leaves the workspace', [{ name: '../../.bashrc', data: 'x' }], '.bashrc'],
    ['an absolute path', [{ name: '/etc/cron.d/x', data: 'x' }], 'cron.d'],
    ['an entry below a link', [{ name: 'l', data: 'a', mode: FILE_TYPE.link | 0o777 }, { name: 'l/x', data: 'x' }], 'l/x'],
    ['a name that comes twice', [{ name: 'a', data: '1' }, { name: 'a', data: '2' }], '"a"'],
    ['a device', [{ name: 'dev', mode: 0o020666 }], 'dev'],
  ])('refuses %s and names the entry', async (_why, entries, named) => {
    await expect(importZip(zipOf(entries), options())).rejects.toThrow(expect.objectContaining({ code: 'ARCHIVE_UNSAFE', message: expect.stringContaining(named) as unknown }));
  });

  it('refuses a bomb by its claimed sizes before reading any of it', async () => {
    execFileSync('python3', ['-c', 'import sys,zipfile\nwith zipfile.ZipFile(sys.argv[1],"w",zipfile.ZIP_DEFLATED) as z:\n  [z.writestr(f"f{i}",b"\\0"*20000000) for i in range(4)]', join(folder, 'bomb.zip')]);
    await expect(importZip(join(folder, 'bomb.zip'), options({ maxArchiveBytes: 50_000_000 }))).rejects.toThrow(expect.objectContaining({ code: 'ARCHIVE_TOO_LARGE', message: expect.stringContaining('f2') as unknown }));
    await expect(importZip(join(folder, 'bomb.zip'), options({ maxEntries: 3 }))).rejects.toThrow(expect.objectContaining({ code: 'ARCHIVE_TOO_LARGE' }));
  });

  it('refuses a bomb that lies about its sizes while it unpacks', async () => {
    execFileSync('python3', ['-c', `
import sys,zipfile,struct
p=sys.argv[1]
with zipfile.ZipFile(p,"w",zipfile.ZIP_DEFLATED) as z: z.writestr("f",b"\\0"*20000000)
b=bytearray(open(p,"rb").read())
at=b.find(b"PK\\x01\\x02")
b[at+24:at+28]=struct.pack("<I",1000)
open(p,"wb").write(b)`, join(folder, 'liar.zip')]);
    const zip = await importZip(join(folder, 'liar.zip'), options());
    await expect(buffer(zip.content)).rejects.toThrow(expect.objectContaining({ code: 'ARCHIVE_CORRUPT' }));
  });

  it('refuses what is no zip, and a zip that was cut', async () => {
    await expect(importZip(write(Buffer.from('hello')), options())).rejects.toThrow(expect.objectContaining({ code: 'ARCHIVE_CORRUPT' }));
    const whole = storedZip([{ name: 'a', data: 'x'.repeat(1000) }]);
    await expect(importZip(write(whole.subarray(0, 600)), options())).rejects.toThrow(expect.objectContaining({ code: 'ARCHIVE_CORRUPT' }));
  });

  it('finds content that fails its checksum and names the entry', async () => {
    const bytes = storedZip([{ name: 'good', data: 'fine' }, { name: 'bad', data: 'precious content' }]);
    bytes.write('P', bytes.indexOf('precious'));
    const zip = await importZip(write(bytes), options());
    await expect(buffer(zip.content)).rejects.toThrow(expect.objectContaining({ code: 'ARCHIVE_CORRUPT', message: expect.stringContaining('bad') as unknown }));
  });

  it('keeps links as they are wherever they lead, and names those that lead out', async () => {
    const { content, notes } = await importZip(write(oddZip([
      { name: 'env/bin/python3', content: '/usr/bin/python3', mode: LINK_MODE }, { name: 'a/s', content: '..', mode: LINK_MODE }, { name: 'through', content: 'a/s/../x', mode: LINK_MODE },
      { name: 'inside', content: 'env', mode: LINK_MODE }, { name: 'f', content: 'x' },
    ])), options());
    await buffer(content);
    expect(notes).toEqual(['env/bin/python3 -> /usr/bin/python3', 'through -> a/s/../x'].map((link) => `Kept as it is, a link that leads out of the workspace: ${link}`));
  });

  it('takes the content of the one folder that holds everything, and says so', async () => {
    const repository: readonly OddEntry[] = [{ name: 'repo-main/' }, { name: 'repo-main/src/a.js', content: 'a' }, { name: 'repo-main/l', content: 'src/a.js', mode: LINK_MODE }, { name: '__MACOSX/._repo-main' }, { name: '.DS_Store', content: 'x' }];
    const zip = await importZip(write(oddZip(repository)), options());
    expect(zip.notes).toEqual([expect.stringContaining('"repo-main"')]);
    expect(zip.leftOut.map(({ path }) => path)).toEqual(['__MACOSX/._repo-main', '.DS_Store']);
    expect(readdirSync(await unpack(zip)).sort()).toEqual(['l', 'src']);
    await expect(unpack(await importZip(write(oddZip(repository)), options({ topFolder: 'keep' }))).then((out) => readdirSync(out))).resolves.toEqual(['repo-main']);
  });

  it.each([
    ['two folders', [{ name: 'a/x' }, { name: 'b/y' }]], ['a file beside it', [{ name: 'a/x' }, { name: 'y' }]], ['a file of nearly its name', [{ name: 'a/x' }, { name: 'ab/y' }]],
    ['a link to a place beside it', [{ name: 'a/x' }, { name: 'a/l', content: '../a/x', mode: LINK_MODE }]],
  ] as const satisfies readonly (readonly [string, readonly OddEntry[]])[])('keeps the top folder when there is %s', async (_why, entries) => {
    expect(readdirSync(await unpack(await importZip(write(oddZip(entries)), options())))).toContain('a');
  });

  it.each([
    ['no entry', []], ['only folders', [{ name: 'a/' }, { name: 'a/b/' }]], ['only the workspace itself', [{ name: './' }]], ['only what the Finder adds', [{ name: '__MACOSX/._a', content: 'x' }, { name: '.DS_Store', content: 'x' }]],
  ] as const satisfies readonly (readonly [string, readonly OddEntry[]])[])('refuses a zip with %s before anything is stored', async (_what, entries) => {
    await expect(importZip(write(oddZip(entries)), options())).rejects.toThrow(expect.objectContaining({ code: 'BAD_REQUEST', message: expect.stringContaining('nothing to import') as unknown }));
  });

  it('brings an archive that Vessel wrote back byte for byte, whatever is in it', async () => {
    const trees: readonly (readonly FixtureEntry[])[] = [
      [{ name: 'app/' }, { name: 'app/run', data: 'x', mode: FILE_TYPE.file | 0o755 }, { name: 'app/env/bin/python3', data: '/usr/bin/python3', mode: FILE_TYPE.link | 0o777 }],
      [{ name: 'C:\\temp\\log.txt', data: 'x' }, { name: '..\\x', data: 'y' }, { name: '.DS_Store', data: 'x' }, { name: '__MACOSX/' }, { name: '__MACOSX/a', data: 'x' }, { name: 'large', data: 'text '.repeat(900_000) }],
    ];
    for (const entries of trees) {
      const exported = await buffer(transcode(inChunks(storedZip(entries), 65_536), Promise.resolve(summaryOf(entries.length)), options()).content);
      const zip = await importZip(write(exported), options());
      expect((await buffer(zip.content)).equals(exported)).toBe(true);
      expect(zip.leftOut).toEqual([]);
    }
  });

  it('keeps modes, links and odd names', async () => {
    const out = await unpack(await importZip(zipOf([
      { name: 'app/' }, { name: 'app/run', data: 'x', mode: FILE_TYPE.file | 0o755 }, { name: 'app/l', data: 'run', mode: FILE_TYPE.link | 0o777 }, { name: 'app/é\\ü', data: 'odd' },
    ]), options()));
    expect(statSync(join(out, 'app/run')).mode & 0o777).toBe(0o755);
    expect(readlinkSync(join(out, 'app/l'))).toBe('run');
    expect(readFileSync(join(out, 'app/é\\ü'), 'utf8')).toBe('odd');
  });

  it('reads a deflated zip of Info-ZIP, which does not flag its UTF-8 names', async () => {
    mkdirSync(join(folder, 'src'));
    writeFileSync(join(folder, 'src/größe.txt'), 'x'.repeat(5_000_000));
    execFileSync('bsdtar', ['-a', '-cf', 'made-elsewhere.zip', 'src'], { cwd: folder, env: { ...process.env, LC_ALL: 'C.UTF-8' } });
    const out = await unpack(await importZip(join(folder, 'made-elsewhere.zip'), options({ topFolder: 'keep' })));
    expect(statSync(join(out, 'src/größe.txt')).size).toBe(5_000_000);
  });
});

describe('importing a folder', () => {
  it('leaves out what a manifest can re-make, and says so', async () => {
    const root = join(folder, 'project');
    mkdirSync(join(root, 'node_modules/x'), { recursive: true });
    mkdirSync(join(root, 'build/empty'), { recursive: true });
    writeFileSync(join(root, 'package.json'), '{}');
    writeFileSync(join(root, 'node_modules/x/index.js'), 'x');
    writeFileSync(join(root, 'build/keep.txt'), 'kept');
    writeFileSync(join(root, 'large.bin'), Buffer.alloc(3_000_000, 'ab'));
    writeFileSync(join(root, 'run.sh'), 'x');
    chmodSync(join(root, 'run.sh'), 0o755);
    symlinkSync('run.sh', join(root, 'link'));
    const zip = await importFolder(root, { preset: 'safe', rules: ['*.log'] }, options());
    expect(zip.leftOut).toEqual([expect.objectContaining({ path: 'node_modules/' })]);
    const out = await unpack(zip);
    expect(await zip.count).toMatchObject({ files: 4 });
    expect(readFileSync(join(out, 'large.bin')).equals(Buffer.alloc(3_000_000, 'ab'))).toBe(true);
    expect(statSync(join(out, 'build/empty')).isDirectory()).toBe(true);
    expect(statSync(join(out, 'run.sh')).mode & 0o777).toBe(0o755);
    expect(readlinkSync(join(out, 'link'))).toBe('run.sh');
    expect(await countZip(join(folder, 'made.zip'))).toMatchObject({ entries: 7 });
  });

  it('keeps what Git tracks of it, and runs nothing of the folder', async () => {
    const root = join(folder, 'project');
    const git = (...args: readonly string[]): void => { execFileSync('git', ['-c', 'user.name=T', '-c', 'user.email=t@example.org', ...args], { cwd: root, stdio: 'ignore' }); };
    mkdirSync(join(root, 'node_modules/t'), { recursive: true });
    writeFileSync(join(root, 'package.json'), '{}');
    writeFileSync(join(root, 'node_modules/t/index.js'), 'ours');
    git('init', '-q');
    git('add', '-f', '.');
    git('config', 'core.fsmonitor', `touch ${join(folder, 'ran')}; false`);
    writeFileSync(join(root, 'node_modules/t/built.js'), 'built');
    const zip = await importFolder(root, { preset: 'safe', rules: [] }, options());
    expect(zip.leftOut).toEqual([{ path: 'node_modules/', reason: 'installed again from package.json, except what Git tracks' }]);
    const out = await unpack(zip);
    expect(readFileSync(join(out, 'node_modules/t/index.js'), 'utf8')).toBe('ours');
    expect(existsSync(join(out, 'node_modules/t/built.js'))).toBe(false);
    expect(existsSync(join(folder, 'ran'))).toBe(false);
    writeFileSync(join(root, '.git/index'), 'damaged');
    expect((await importFolder(root, { preset: 'safe', rules: [] }, options())).leftOut).toEqual([]);
  });

  it('keeps links that lead out, and names that are no text', async () => {
    const root = join(folder, 'project');
    mkdirSync(join(root, 'sub'), { recursive: true });
    const name = Buffer.concat([Buffer.from(`${root}/sub/`), Buffer.from([0x66, 0xfc, 0xff])]);
    writeFileSync(name, 'latin');
    mkdirSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xe9])]));
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xe9]), Buffer.from('/inner')]), 'inner');
    writeFileSync(join(root, 'back\\slash'), 'x');
    symlinkSync('/usr/bin/python3', join(root, 'python3'));
    const zip = await importFolder(root, { preset: 'safe', rules: [] }, options());
    expect(zip.notes).toEqual([expect.stringContaining('python3 -> /usr/bin/python3')]);
    writeFileSync(join(folder, 'made.zip'), await buffer(zip.content));
    const archive = await openArchive(join(folder, 'made.zip'));
    try {
      const names = archive.entries.map(({ path }) => archive.nameOf(path).name.toString('latin1'));
      expect(names.sort()).toEqual(['back\\slash', 'python3', 'sub/', 'sub/f\xfc\xff', '\xe9/', '\xe9/inner']);
      expect((await archive.read('sub/f\\xfc\\xff', { maxBytes: 100, signal: new AbortController().signal })).toString()).toBe('latin');
    } finally {
      await archive.close();
    }
  });

  it('refuses a folder that holds no file, also when all of them are left out', async () => {
    mkdirSync(join(folder, 'empty/a/b'), { recursive: true });
    await expect(importFolder(join(folder, 'empty'), { preset: 'safe', rules: [] }, options())).rejects.toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    writeFileSync(join(folder, 'empty/a/x.log'), 'x');
    await expect(importFolder(join(folder, 'empty'), { preset: 'safe', rules: ['*.log'] }, options())).rejects.toThrow(expect.objectContaining({ code: 'BAD_REQUEST', hint: expect.stringContaining('a/x.log') as unknown }));
  });

  it('refuses a folder over the limit', async () => {
    writeFileSync(join(folder, 'a'), 'x'.repeat(100));
    await expect(importFolder(folder, { preset: 'safe', rules: [] }, options({ maxArchiveBytes: 50 }))).rejects.toThrow(expect.objectContaining({ code: 'ARCHIVE_TOO_LARGE' }));
  });
});
