import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeUnless } from '../../../build/testing/describe-unless.ts';
import { MEMORY_LIBRARY, readOnlyMemoryLibrary } from './read-only-memory.ts';

let folder: string;
let library: string;
let memory: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vessel-shim-'));
  library = join(folder, MEMORY_LIBRARY);
  memory = join(folder, 'memory');
  writeFileSync(library, readOnlyMemoryLibrary(5), { mode: 0o444 });
  writeFileSync(memory, 'as it was');
});
afterEach(() => { rmSync(folder, { recursive: true, force: true }); });

/** Runs a shell that has the memory open for reading as descriptor 5, with the library or without. */
function shell(script: string, preload: boolean): { readonly stdout: string; readonly stderr: string; readonly status: number | null } {
  const descriptor = openSync(memory, 'r');
  try {
    return spawnSync('sh', ['-c', script, 'sh', folder], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe', 'ignore', 'ignore', descriptor], env: { PATH: process.env['PATH'], ...(preload ? { LD_PRELOAD: library } : {}) } });
  } finally {
    closeSync(descriptor);
  }
}

describeUnless(process.arch === 'x64' ? null : 'the library is made for x64', 'the library that keeps a template\'s memory from being opened for writing', () => {
  it('gives the read-only descriptor to a program that asks for more', () => {
    expect(shell('echo changed 1<>/proc/self/fd/5', false).status).toBe(0);
    expect(readFileSync(memory, 'utf8')).toContain('changed');
    writeFileSync(memory, 'as it was');
    const { status } = shell('exec 7<>/proc/self/fd/5; echo changed >&7', true);
    expect(status).not.toBe(0);
    expect(readFileSync(memory, 'utf8')).toBe('as it was');
  });

  it('leaves everything else as it is: contents, new files and their rights, errors', () => {
    const { stdout, stderr } = shell('cat /proc/self/fd/5; umask 027; echo new >"$1/made"; cat "$1/made"; stat -c %a "$1/made"; cat "$1/absent"; cat /proc/self/fd/55; true', true);
    expect(stdout).toBe('as it wasnew\n640\n');
    expect(stderr.match(/No such file/g)).toHaveLength(2);
    expect(stderr).not.toContain('preload');
  });
});
