import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ZipInTheMaking } from '../../ports/archiver.ts';
import { importFolder } from './import-folder.ts';
import { countZip, importZip } from './import-zip.ts';
import { storedZip, type FixtureEntry } from './stored-zip.fixture.ts';
import { FILE_TYPE } from './zip-format.ts';

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vessel-import-')); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const options = (limits: { maxArchiveBytes?: number; maxEntries?: number } = {}): Parameters<typeof importZip>[1] => ({ maxArchiveBytes: 1e9, maxEntries: 100_000, signal: new AbortController().signal, ...limits });
const write = (bytes: Buffer): string => { const path = join(folder, 'in.zip'); writeFileSync(path, bytes); return path; };
const zipOf = (entries: readonly FixtureEntry[]): string => write(storedZip(entries));
/** Writes the result and unpacks it with libarchive. */
async function unpack(zip: ZipInTheMaking): Promise<string> {
  const path = join(folder, 'made.zip');
  writeFileSync(path, await buffer(zip.content));
  const out = join(folder, 'out');
  mkdirSync(out);
  execFileSync('bsdtar', ['-xf', path, '-C', out], { env: { ...process.env, LC_ALL: 'C.UTF-8' } });
  return out;
}

describe('importing a zip from elsewhere', () => {
  it.each([
    ['a path that leaves the workspace', [{ name: '../../.bashrc', data: 'x' }], '.bashrc'],
    ['an absolute path', [{ name: '/etc/cron.d/x', data: 'x' }], 'cron.d'],
    ['a link that leaves the workspace', [{ name: 'a/l', data: '../../x', mode: FILE_TYPE.link | 0o777 }], 'a/l'],
    ['a link to an absolute path', [{ name: 'l', data: '/etc/passwd', mode: FILE_TYPE.link | 0o777 }], '"l"'],
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

  it('keeps a single top-level folder, modes, links and odd names', async () => {
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
    const out = await unpack(await importZip(join(folder, 'made-elsewhere.zip'), options()));
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

  it('refuses a link that leaves the folder, and a folder over the limit', async () => {
    writeFileSync(join(folder, 'a'), 'x'.repeat(100));
    await expect(importFolder(folder, { preset: 'safe', rules: [] }, options({ maxArchiveBytes: 50 }))).rejects.toThrow(expect.objectContaining({ code: 'ARCHIVE_TOO_LARGE' }));
    symlinkSync('/etc', join(folder, 'etc'));
    await expect(importFolder(folder, { preset: 'safe', rules: [] }, options())).rejects.toThrow(expect.objectContaining({ code: 'ARCHIVE_UNSAFE' }));
  });
});
