import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockHome } from './instance-lock.ts';

let home: string;
beforeEach(() => { home = mkdtempSync(join(tmpdir(), 'vessel-lock-')); });
afterEach(() => rmSync(home, { recursive: true }));

describe('the lock of a home', () => {
  it('refuses a second Vessel in the same process and lets go when released', () => {
    const lock = lockHome(home);
    expect(() => lockHome(home)).toThrow(expect.objectContaining({ code: 'ALREADY_RUNNING' }));
    lock.release();
    lockHome(home).release();
  });

  it('names the process that holds it, and is free at once when that process is killed', async () => {
    const program = `import { lockHome } from ${JSON.stringify(new URL('./instance-lock.ts', import.meta.url).href)}; lockHome(${JSON.stringify(home)}); console.log('held'); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'], cwd: import.meta.dirname });
    try {
      await once(child.stdout, 'data');
      expect(() => lockHome(home)).toThrow(expect.objectContaining({ code: 'ALREADY_RUNNING', details: expect.objectContaining({ pid: child.pid, startedAt: expect.any(String) as unknown }) as unknown }));
    } finally {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
    lockHome(home).release();
  });
});
