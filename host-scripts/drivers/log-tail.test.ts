import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { logTail } from './log-tail.ts';

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vessel-tail-')); });
afterEach(() => { rmSync(folder, { recursive: true, force: true }); });

describe('the tail of a log in a folder that a machine may write to', () => {
  it('is that of the file itself', async () => {
    writeFileSync(join(folder, 'log'), 'one\ntwo\n');
    expect(await logTail(join(folder, 'log'), 1)).toEqual(['two']);
  });
  it('shows no file that a link leads to', async () => {
    writeFileSync(join(folder, 'secret'), 'of the host\n');
    symlinkSync(join(folder, 'secret'), join(folder, 'log'));
    expect(await logTail(join(folder, 'log'), 5)).toEqual([]);
  });
  it('does not wait for a pipe', async () => {
    spawnSync('mkfifo', [join(folder, 'log')]);
    expect(await logTail(join(folder, 'log'), 5)).toEqual([]);
  });
});
