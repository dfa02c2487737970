import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, closeSync, existsSync, ftruncateSync, linkSync, lstatSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VesselError } from '#shared/vessel-error.ts';
import { describeUnless } from '../../../build/testing/describe-unless.ts';
import { rawZip } from '../testing/raw-zip.ts';
import { extractArchive } from './extract.ts';
import { saveWorkspace, type SaveResult } from './save.ts';

const isRoot = process.getuid?.() === 0;
const OWNER = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const LIMITS = { maxBytes: 4 * 1024 ** 3, maxEntries: 10_000 };
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vessel-kept-'));
  for (const name of ['from', 'to']) mkdirSync(join(folder, name));
});
afterEach(() => { rmSync(folder, { recursive: true, force: true }); });

const from = (...parts: readonly string[]): string => join(folder, 'from', ...parts);
const to = (...parts: readonly string[]): string => join(folder, 'to', ...parts);
async function save(limits = LIMITS): Promise<{ readonly result: SaveResult; readonly bytes: number }> {
  const fd = openSync(join(folder, 'a.zip'), 'w');
  let bytes = 0;
  try {
    const result = await saveWorkspace(from(), { exclude: { preset: 'safe', rules: [] }, limits, owner: OWNER, still: false }, (data) => { bytes += writeSync(fd, data); });
    return { result, bytes };
  } finally {
    closeSync(fd);
  }
}
const open = (links: 'keep' | 'refuse' = 'keep', target = to()): Promise<unknown> => extractArchive(join(folder, 'a.zip'), target, { ...LIMITS, links, owner: OWNER });
const codeOf = (work: Promise<unknown>): Promise<string> => work.then(() => 'done', (error: unknown) => VesselError.from(error).code);

test('holes are neither read nor sent nor written, however large', async () => {
  const fd = openSync(from('sparse'), 'w');
  ftruncateSync(fd, 3_000_000_000);
  writeSync(fd, 'in the middle', 1_500_000_001);
  closeSync(fd);
  const { bytes } = await save();
  expect(bytes).toBeLessThan(100_000);
  await open();
  expect(statSync(to('sparse'))).toMatchObject({ size: 3_000_000_000 });
  expect(statSync(to('sparse')).blocks).toBeLessThan(64);
  const middle = (path: string): string => execFileSync('sh', ['-c', 'tail -c +1500000002 "$0" | head -c 13', path], { encoding: 'utf8' });
  expect(middle(to('sparse'))).toBe('in the middle');
});

test('what is beyond the limits is refused before anything is read, naming the largest', async () => {
  truncateSync((writeFileSync(from('large'), ''), from('large')), 5_000_000_000);
  writeFileSync(from('small'), 'x');
  const error = VesselError.from(await save().catch((reason: unknown) => reason));
  expect([error.code, error.message]).toEqual(['ARCHIVE_TOO_LARGE', expect.stringContaining('"large" (5.0 GB)')]);
  expect(await codeOf(save({ maxBytes: 1e10, maxEntries: 1 }))).toBe('ARCHIVE_TOO_LARGE');
});

test('two names of one file stay two names of one file', async () => {
  mkdirSync(from('a'));
  writeFileSync(from('a', 'one'), 'shared');
  linkSync(from('a', 'one'), from('two'));
  writeFileSync(from('three'), 'shared');
  await save();
  await open();
  expect(lstatSync(to('a', 'one')).ino).toBe(lstatSync(to('two')).ino);
  expect(lstatSync(to('three')).nlink).toBe(1);
  expect(readFileSync(to('two'), 'utf8')).toBe('shared');
});

describeUnless(isRoot ? null : 'needs root', 'as root', () => {
  test('owners, set-id bits and attributes come back from our own archive, and are ignored in a foreign one', async () => {
    writeFileSync(from('f'), 'x');
    chownSync(from('f'), 999, 998);
    chmodSync(from('f'), 0o6751);
    execFileSync('python3', ['-c', 'import os,sys; os.setxattr(sys.argv[1], "user.note", b"\\x00\\xff")', from('f')]);
    await save();
    await open();
    const readNote = (path: string): string => execFileSync('python3', ['-c', 'import os,sys; print(len(os.listxattr(sys.argv[1])))', path], { encoding: 'utf8' }).trim();
    expect(lstatSync(to('f'))).toMatchObject({ uid: 999, gid: 998, mode: 0o106751 });
    expect(readNote(to('f'))).toBe('1');
    mkdirSync(to('foreign'));
    await open('refuse', to('foreign'));
    expect(lstatSync(to('foreign', 'f'))).toMatchObject({ ...OWNER, mode: 0o100751 });
    expect(readNote(to('foreign', 'f'))).toBe('0');
  });

  test('a disk that fills up in the middle is DISK_FULL, and nothing half stays', async () => {
    writeFileSync(from('first'), 'x');
    mkdirSync(from('deep', 'er'), { recursive: true });
    for (let index = 0; index < 4; index += 1) writeFileSync(from('deep', 'er', `part-${index}`), Buffer.alloc(900_000, index + 1));
    await save();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'vessel-test', to()]);
    try {
      expect(await codeOf(open())).toBe('DISK_FULL');
      expect(readdirSync(to())).toEqual([]);
    } finally {
      execFileSync('umount', ['--lazy', to()]);
    }
  });

  test('a file that cannot be read is named, and there is no archive', async () => {
    writeFileSync(from('good'), 'x');
    mkdirSync(from('bad'));
    writeFileSync(from('bad', 'm'), '');
    // Memory at address 0 is an input/output error.
    execFileSync('mount', ['--bind', `/proc/${process.pid}/mem`, from('bad', 'm')]);
    try {
      const error = VesselError.from(await save().catch((reason: unknown) => reason));
      expect([error.code, error.message]).toEqual(['SAVE_INCOMPLETE', '"bad/m" cannot be read (EIO)']);
    } finally {
      execFileSync('umount', ['--lazy', from('bad', 'm')]);
    }
  });
});

test('no link that stands in the way is followed', async () => {
  mkdirSync(join(folder, 'outside'));
  writeFileSync(join(folder, 'a.zip'), rawZip([{ name: 'a', content: '../outside', mode: 0o120777 }, { name: 'a/x', content: 'x' }]));
  expect(await codeOf(open())).toBe('ARCHIVE_UNSAFE');
  expect(existsSync(join(folder, 'outside', 'x'))).toBe(false);
});

describe('the depth of folders', () => {
  test('is limited, and said so before anything is written', async () => {
    execFileSync('python3', ['-c', 'import os\nfor _ in range(1002): os.mkdir("d"); os.chdir("d")'], { cwd: from() });
    const error = VesselError.from(await save().catch((reason: unknown) => reason));
    expect([error.code, error.message]).toEqual(['SAVE_INCOMPLETE', expect.stringContaining('1000 folders deep')]);
    execFileSync('rm', ['-r', from('d')]);
    execFileSync('python3', ['-c', 'import os\nfor _ in range(500): os.mkdir("folder-with-a-name"); os.chdir("folder-with-a-name")\nopen("f","w").write("deep")'], { cwd: from() });
    const { result } = await save();
    expect(result.entries).toBe(501);
    await open();
    expect(execFileSync('find', ['.', '-name', 'f'], { cwd: to(), encoding: 'utf8' }).trim().endsWith('/f')).toBe(true);
    execFileSync('rm', ['-r', from(), to()]);
  });
});
