import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeUnless } from '../../../../build/testing/describe-unless.ts';
import { openDatabase } from './database.ts';

/** A real, small file system that really fills up. */
const SIZE = 128 * 1024 * 1024;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vessel-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE},mode=700`, 'tmpfs', folder]);
});
afterEach(() => { execFileSync('umount', [folder]); rmSync(folder, { recursive: true }); });

/** Takes every last block. */
function fill(): void {
  const chunk = Buffer.alloc(1024 * 1024, 1);
  for (let size = chunk.byteLength; size >= 512; size = Math.floor(size / 2)) {
    for (;;) {
      try {
        writeFileSync(join(folder, 'ballast'), chunk.subarray(0, size), { flag: 'a' });
      } catch {
        break;
      }
    }
  }
}

describeUnless(process.getuid?.() === 0 ? null : 'needs root to mount a small file system', 'the database on a full disk', () => {
  it('still takes decisions, whole ones, says when it can take no more, and keeps what it had', () => {
    const database = openDatabase(join(folder, 'vessel.db'));
    expect(existsSync(join(folder, 'vessel.db.reserve'))).toBe(true);
    fill();
    expect(statfsSync(folder).bavail).toBe(0);
    const put = (key: string, value: string): void => { database.transaction(() => { for (const part of ['a', 'b']) database.run('INSERT INTO settings VALUES (?, ?)', `${key}-${part}`, value); }); };
    for (let index = 0; index < 100; index += 1) put(`decision ${index}`, 'x'.repeat(500));
    expect(existsSync(join(folder, 'vessel.db.reserve'))).toBe(false);
    expect(() => { for (let index = 0; index < 10_000; index += 1) put(`noise ${index}`, 'x'.repeat(50_000)); }).toThrow(expect.objectContaining({ code: 'DISK_FULL' }));
    // Neither half a decision nor a database that is stuck.
    const counts = database.get(`SELECT sum(key LIKE '%-a') AS a, sum(key LIKE '%-b') AS b FROM settings`);
    expect(counts?.['a']).toBe(counts?.['b']);
    rmSync(join(folder, 'ballast'));
    put('afterwards', 'y');
    expect(database.get(`SELECT value FROM settings WHERE key = 'decision 99-b'`)?.['value']).toBe('x'.repeat(500));
    database.close();
  });
});
