import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { itUnless, NOT_LINUX } from '../../build/testing/describe-unless.ts';
import { runDirectory } from '#shared/paths.ts';
import { openInBrowser } from './browser.ts';
import { processRuntime } from './runtime.ts';

const URL_WITH_TICKET = 'http://vessel.localhost:8080/__vessel/enter?ticket=secret-ticket&to=%2F';
let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'vessel-browser-'));
  mkdirSync(runDirectory(home), { mode: 0o700 });
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});

itUnless(NOT_LINUX, 'an address reaches the browser by a private file: its ticket stands in no argument list', async () => {
  // An opener that writes down how it was called, as `ps` of another user would show it.
  writeFileSync(join(home, 'xdg-open'), `#!/bin/sh\ntr '\\0' ' ' < /proc/$$/cmdline > ${join(home, 'seen.tmp')}\nmv ${join(home, 'seen.tmp')} ${join(home, 'seen')}\n`);
  chmodSync(join(home, 'xdg-open'), 0o755);
  vi.stubEnv('PATH', `${home}:${process.env['PATH'] ?? ''}`);
  await openInBrowser(processRuntime(), home, URL_WITH_TICKET);
  const seen = await vi.waitUntil(() => { try { return readFileSync(join(home, 'seen'), 'utf8'); } catch { return null; } });
  expect(seen).not.toContain('ticket');
  const file = fileURLToPath(/file:\S+/.exec(seen)?.[0] ?? 'file:///');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'utf8')).toContain('content="0;url=http://vessel.localhost:8080/__vessel/enter?ticket=secret-ticket&amp;to=%2F"');
});

it('a computer without an opener is told what to do', async () => {
  vi.stubEnv('PATH', home);
  await expect(openInBrowser({ ...processRuntime(), platform: 'linux' }, home, URL_WITH_TICKET)).rejects.toMatchObject({ code: 'EXEC_FAILED', hint: 'Open the printed address yourself.' });
});
