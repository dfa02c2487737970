import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { itUnless, NOT_LINUX } from '../../build/testing/describe-unless.ts';
import { MEMORY_SCORES } from '../guest-agent/guest/memory-scores.ts';
import { MEMORY_GUARD } from './memory-guard.ts';

itUnless(NOT_LINUX, 'what VS Code\'s own processes start for a person is not protected as they are', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vessel-guard-'));
  try {
    const report = 'cat /proc/self/oom_score_adj';
    writeFileSync(join(folder, 'child.mjs'), `
      import { execFileSync, spawn } from 'node:child_process';
      import { readFileSync } from 'node:fs';
      const read = () => readFileSync('/proc/self/oom_score_adj', 'utf8').trim();
      let spawned = '';
      const child = spawn('sh', ['-c', '${report}']);
      child.stdout.on('data', (data) => { spawned += data; });
      child.on('close', () => {
        process.send({ own: read(), spawned: spawned.trim(), sync: String(execFileSync('sh', ['-c', '${report}'])).trim(), execArgv: process.execArgv });
        process.disconnect();
      });
    `);
    writeFileSync(join(folder, 'server.mjs'), `${MEMORY_GUARD}
      import { fork } from 'node:child_process';
      import { writeFileSync } from 'node:fs';
      // Protection takes rights that a test has not; what counts is that the two differ.
      writeFileSync('/proc/self/oom_score_adj', '100');
      fork(${JSON.stringify(join(folder, 'child.mjs'))}, ['--type=ptyHost'], { execArgv: ['--no-warnings'] }).on('message', (message) => console.log(JSON.stringify(message)));
    `);
    const { stdout, stderr } = spawnSync(process.execPath, [join(folder, 'server.mjs')], { encoding: 'utf8', timeout: 20_000 });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({ own: '100', spawned: String(MEMORY_SCORES.user), sync: String(MEMORY_SCORES.user), execArgv: ['--no-warnings'] });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
