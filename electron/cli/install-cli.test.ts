import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runVessel } from './run.ts';
import { testTerminal } from './testing/test-runtime.ts';

describe('install-cli', () => {
  let home = '';
  beforeEach(() => { home = mkdtempSync(join(tmpdir(), 'vessel cli’s ')); });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  const run = async (env: Readonly<Record<string, string>>, ...args: string[]): Promise<{ readonly code: number; readonly json: Record<string, unknown> }> => {
    const terminal = testTerminal(home, { env });
    const code = await runVessel(['install-cli', '--json', ...args], terminal.runtime);
    return { code, json: JSON.parse(terminal.out()) as Record<string, unknown> };
  };

  it('writes a launcher that passes every argument on, and takes it away again', async () => {
    const script = join(home, 'it\'s.mjs');
    writeFileSync(script, 'process.stdout.write(JSON.stringify(process.argv.slice(2)));');
    const folder = join(home, 'bin');
    const launcher = JSON.stringify([process.execPath, script]);
    expect(await run({ VESSEL_LAUNCHER: launcher, PATH: folder }, '--dir', folder)).toMatchObject({ code: 0, json: { path: join(folder, 'vessel'), onPath: true } });
    expect(execFileSync(join(folder, 'vessel'), ['a b', '$HOME', '"'], { encoding: 'utf8' })).toBe(JSON.stringify(['a b', '$HOME', '"']));
    expect((await run({ VESSEL_LAUNCHER: launcher, PATH: '' }, '--dir', folder)).json).toMatchObject({ onPath: false });
    expect((await run({}, '--dir', folder, '--remove')).json).toMatchObject({ removed: true });
    expect((await run({}, '--dir', folder, '--remove')).json).toMatchObject({ removed: false });
  });

  it('leaves another program of that name alone', async () => {
    mkdirSync(join(home, 'bin'));
    writeFileSync(join(home, 'bin', 'vessel'), 'theirs');
    expect(await run({ VESSEL_LAUNCHER: '["a","b"]' }, '--dir', join(home, 'bin'))).toMatchObject({ code: 4, json: { error: { code: 'CONFLICT' } } });
    expect(await run({}, '--dir', join(home, 'bin'), '--remove')).toMatchObject({ json: { error: { code: 'CONFLICT' } } });
    expect(readFileSync(join(home, 'bin', 'vessel'), 'utf8')).toBe('theirs');
  });

  it('says what to do where it cannot write or was not started from a clone', async () => {
    writeFileSync(join(home, 'file'), '');
    expect((await run({ VESSEL_LAUNCHER: '["a","b"]' }, '--dir', join(home, 'file', 'bin'))).json).toMatchObject({ error: { code: 'HOST_PERMISSION', hint: expect.stringContaining('--dir') as string } });
    expect((await run({}, '--dir', home)).json).toMatchObject({ error: { code: 'BAD_REQUEST', hint: expect.stringContaining('npx vessel install-cli') as string } });
  });
});
