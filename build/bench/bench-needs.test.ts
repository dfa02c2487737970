import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { benchNeeds, skippedIn } from '../lib/bench-needs.mjs';

const GUARD = fileURLToPath(new URL('one-line-errors.mjs', import.meta.url));

it('a peer that was left out is told in words, wherever it stands in the result', () => {
  const result = { environment: { cold: 3, container: { skipped: 'dockerd is not installed' } }, save: { ms: null }, tunnel: 'skipped' };
  expect(skippedIn(result, [])).toEqual(['environment › container was not measured: dockerd is not installed']);
});

it('a bench that cannot run is told by one line, for people and for programs, without a stack trace', () => {
  const ran = spawnSync(process.execPath, ['--import', GUARD, '--input-type=module', '--eval', 'await Promise.reject(new Error("no browser at /usr/bin/chromium\\nsecond line"))'], { encoding: 'utf8' });
  expect(ran).toMatchObject({ status: 1, stderr: '  ✗ no browser at /usr/bin/chromium\n' });
  expect(JSON.parse(ran.stdout)).toEqual({ error: 'no browser at /usr/bin/chromium' });
});

it('a program that is missing and cannot be installed is named in one line', () => {
  const script = `import { benchNeeds } from ${JSON.stringify(new URL('../lib/bench-needs.mjs', import.meta.url).href)}; process.stdout.write(String(await benchNeeds('open', () => undefined)));`;
  // No dpkg on this PATH: as on a system that is not Debian.
  const line = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8', env: { PATH: '/nonexistent', CHROMIUM: '/nonexistent/chromium' } });
  expect(line).toMatch(/^Chromium is missing: .*chromium fonts-dejavu-core$/);
});

it('a bench without needs asks for nothing', async () => {
  expect(await benchNeeds('save', () => { throw new Error('nothing is to be installed'); })).toBeNull();
});
