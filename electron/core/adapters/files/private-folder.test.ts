import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { itUnless, NOT_ROOT } from '../../../../build/testing/describe-unless.ts';
import { openDatabase } from '../sqlite/database.ts';
import { lockHome } from '../sqlite/instance-lock.ts';
import { ensurePrivateFolder } from './private-folder.ts';

const isRoot = process.getuid?.() === 0;
/** A user that owns nothing. */
const STRANGER = 65_534;
const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);
const strangerReads = (path: string): boolean => spawnSync('cat', [path], { uid: STRANGER, gid: STRANGER }).status === 0;

let folder: string;
let home: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vessel-private-'));
  chmodSync(folder, 0o755);
  home = join(folder, 'home');
  mkdirSync(home, { mode: 0o755 });
  chmodSync(home, 0o755);
});
afterEach(() => { rmSync(folder, { recursive: true, force: true }); });

describe('a home that everybody could read', () => {
  it('is closed when the database opens, with the database and its companions', () => {
    const path = join(home, 'vessel.db');
    writeFileSync(path, '', { mode: 0o644 });
    const database = openDatabase(path);
    try {
      expect(modeOf(home)).toBe('700');
      expect([path, `${path}-wal`, `${path}-shm`].map(modeOf)).toEqual(['600', '600', '600']);
      // The folder alone would do; the files must hold by themselves.
      chmodSync(home, 0o755);
      if (isRoot) expect([path, `${path}-wal`, `${path}-shm`].filter(strangerReads)).toEqual([]);
    } finally {
      database.close();
    }
  });

  it('is closed when it is locked', () => {
    lockHome(home).release();
    expect([modeOf(home), modeOf(join(home, 'vessel.lock'))]).toEqual(['700', '600']);
  });

  itUnless(NOT_ROOT, 'is refused when it is another user\'s', () => {
    chownSync(home, STRANGER, STRANGER);
    expect(() => ensurePrivateFolder(home, 1000)).toThrow(expect.objectContaining({ code: 'FOLDER_UNSAFE', message: expect.stringContaining(home) as string }));
    expect(modeOf(home)).toBe('755');
  });
});
