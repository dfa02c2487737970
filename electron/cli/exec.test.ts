import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runVessel } from './run.ts';
import { startFakeVessel, type FakeVessel } from './testing/fake-vessel.ts';
import { realProcesses, type Seen } from './testing/real-processes.ts';
import { runIn, testTerminal } from './testing/test-runtime.ts';

/** How long a busy machine may take to start a process. */
const PATIENCE = { timeout: 10_000, interval: 20 };
let home = '';
let vessel: FakeVessel;
let seen: Seen;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'vessel-cli-exec-'));
  seen = { input: null, resizes: [], signals: [] };
  vessel = await startFakeVessel(home, realProcesses(seen));
});
afterEach(async () => {
  await vessel.close();
  rmSync(home, { recursive: true, force: true });
});

describe('exec', () => {
  it('keeps stdout and stderr apart, byte for byte, and passes the exit code', async () => {
    const ran = await runIn(home, 'exec', 'demo', '--', 'sh', '-c', 'printf "out\\n"; printf err >&2; exit 42');
    expect(ran).toMatchObject({ code: 42, out: 'out\n', err: 'err' });
  });

  it('takes the options of the command as the command\'s own', async () => {
    const ran = await runIn(home, 'exec', '-C', 'src', 'demo', '-e', 'A=b=c', 'sh', '-c', 'echo "$A"', '--json');
    expect(ran).toMatchObject({ code: 0, out: 'b=c\n' });
    expect(seen.input).toMatchObject({ argv: ['sh', '-c', 'echo "$A"', '--json'], cwd: 'src', env: { A: 'b=c' }, pty: null });
  });

  it('streams two megabytes of stdin through and back unchanged', async () => {
    const terminal = testTerminal(home);
    const ended = runVessel(['exec', 'demo', '--', 'sha256sum'], terminal.runtime);
    terminal.stdin.end(Buffer.alloc(2 * 1024 * 1024, 'vessel'));
    expect(await ended).toBe(0);
    expect(terminal.out()).toBe(`${createHash('sha256').update(Buffer.alloc(2 * 1024 * 1024, 'vessel')).digest('hex')}  -\n`);
  });

  it('ends although nobody closes stdin', async () => {
    const terminal = testTerminal(home);
    expect(await runVessel(['exec', 'demo', 'true'], terminal.runtime)).toBe(0);
  });

  it('forwards Ctrl-C to the command and ends as it does', async () => {
    const terminal = testTerminal(home);
    const ended = runVessel(['exec', 'demo', '--', 'sleep', '30'], terminal.runtime);
    await expect.poll(() => seen.input, PATIENCE).not.toBeNull();
    await sleep(200);
    terminal.signal('SIGINT');
    expect(await ended).toBe(130);
    expect(seen.signals).toEqual(['SIGINT']);
  });

  it('on a terminal gives the command one: raw mode while it runs, size and resizes passed on', async () => {
    const terminal = testTerminal(home, { tty: true, env: { TERM: 'xterm-256color' } });
    const ended = runVessel(['exec', 'demo', '--', 'sleep', '30'], terminal.runtime);
    await expect.poll(() => terminal.rawModes, PATIENCE).toEqual([true]);
    terminal.signal('SIGWINCH');
    await expect.poll(() => seen.resizes, PATIENCE).toHaveLength(1);
    terminal.signal('SIGTERM');
    expect(await ended).toBeGreaterThan(128);
    expect(terminal.rawModes).toEqual([true, false]);
    expect(seen.input).toMatchObject({ pty: { cols: 100, rows: 30 }, env: { TERM: 'xterm-256color' } });
    expect(seen.resizes).toEqual([{ cols: 100, rows: 30 }]);
    expect(await runVessel(['exec', '-T', 'demo', 'true'], testTerminal(home, { tty: true }).runtime)).toBe(0);
    expect(seen.input).toMatchObject({ pty: null });
  });

  it('with --json answers one object with the output in it, and still passes the exit code', async () => {
    const ran = await runIn(home, 'exec', 'demo', '--json', '--', 'sh', '-c', 'echo ö; echo e >&2; kill -9 $$');
    expect(ran).toMatchObject({ code: 137, err: '', json: { id: 'demo-k3f9', exitCode: 137, code: null, signal: 'SIGKILL', stdout: 'ö\n', stderr: 'e\n', truncated: false } });
  });

  it('says that Vessel went away, with code 7, and restores the terminal', async () => {
    const terminal = testTerminal(home, { tty: true });
    const ended = runVessel(['exec', 'demo', '--', 'sleep', '30'], terminal.runtime);
    await expect.poll(() => terminal.rawModes, PATIENCE).toEqual([true]);
    vessel.dropConnections();
    expect(await ended).toBe(7);
    expect(terminal.rawModes).toEqual([true, false]);
    expect(terminal.err()).toContain('connection to Vessel was lost');
  });

  it('reads a script from a pipe when it is a shell without a terminal', async () => {
    const terminal = testTerminal(home);
    const ended = runVessel(['shell', 'demo'], terminal.runtime);
    terminal.stdin.end('echo from-the-script; exit 5\n');
    expect(await ended).toBe(5);
    expect(terminal.out()).toContain('from-the-script');
  });
});
