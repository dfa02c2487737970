import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeUnless } from '../../../../build/testing/describe-unless.ts';
import { openLocalColdStore } from './cold-store.ts';

/** A real, small file system that really fills up. */
const SIZE = 4 * 1024 * 1024;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vessel-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', folder]);
});
afterEach(() => { execFileSync('umount', [folder]); rmSync(folder, { recursive: true }); });

describeUnless(process.getuid?.() === 0 ? null : 'needs root to mount a small file system', 'a full disk', () => {
  it('is DISK_FULL, leaves nothing of the failed archive and everything of the earlier one, and the next put works once there is space', async () => {
    const store = await openLocalColdStore(folder);
    const first = await store.put('p', Readable.from([randomBytes(1_000_000)]), {});
    const free = (): number => { const { bavail, bsize } = statfsSync(folder); return bavail * bsize; };
    const before = free();
    const big = (): Readable => Readable.from((function* () { for (let index = 0; index < 8; index += 1) yield randomBytes(1_000_000); })());
    await expect(store.put('p', big(), {})).rejects.toThrow(expect.objectContaining({ code: 'DISK_FULL', retryable: true }));
    expect(readdirSync(join(folder, 'p'))).toEqual([`${first.sha256}.zip`]);
    expect(free()).toBe(before);
    expect(await store.readBack('p', first.sha256)).toMatchObject({ sha256: first.sha256 });
    const small = await store.put('p', Readable.from([randomBytes(1_000_000)]), {});
    expect(await store.readBack('p', small.sha256)).toMatchObject({ sha256: small.sha256 });
  });
});
