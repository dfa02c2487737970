import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { readlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findProcesses } from './process-identity.ts';

/** Goes down thirty folders of 200 letters, then waits: longer than the page in which the kernel tells a path. */
const DEEP = "const { mkdirSync } = require('node:fs'); for (let depth = 0; depth < 30; depth += 1) { mkdirSync('d'.repeat(200)); process.chdir('d'.repeat(200)); } console.log('there'); setInterval(() => {}, 1000);";

it('finds processes also while one stands in a folder too deep to be told', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vessel-deep-'));
  const deep = spawn(process.execPath, ['-e', DEEP], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(deep.stdout, 'data');
    await expect(readlink(`/proc/${deep.pid}/cwd`)).rejects.toMatchObject({ code: 'ENAMETOOLONG' });
    const found = await findProcesses(({ argv, cwd }) => cwd === null && argv.includes(DEEP));
    expect(found.map(({ pid }) => pid)).toEqual([deep.pid]);
  } finally {
    deep.kill();
    await once(deep, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
});
