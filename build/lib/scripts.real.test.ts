import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runElectron } from './electron-run.mjs';
import { fingerprint } from './inputs.mjs';
import { withLock } from './lock.mjs';
import { root } from './paths.mjs';
import { RUN_MARK, endMarked, marked } from './processes.mjs';
import { run } from './run.mjs';

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vessel-scripts-')); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const script = (name: string): string => fileURLToPath(new URL(`../${name}.mjs`, import.meta.url));

describe('the lock', () => {
  it('lets one in after the other', async () => {
    const file = join(folder, 'deep', 'x.lock');
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      inside += 1;
      most = Math.max(most, inside);
      await sleep(20);
      inside -= 1;
    };
    await Promise.all([withLock(file, work), withLock(file, work), withLock(file, work)]);
    expect(most).toBe(1);
    expect(existsSync(file)).toBe(false);
  });

  it('is given back when the work fails', async () => {
    const file = join(folder, 'x.lock');
    await expect(withLock(file, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await withLock(file, () => Promise.resolve(1))).toBe(1);
  });

  it('of a dead process is taken over', async () => {
    const file = join(folder, 'x.lock');
    writeFileSync(file, String(spawnSync(process.execPath, ['-e', '0']).pid));
    expect(await withLock(file, () => Promise.resolve('mine'))).toBe('mine');
  });
});

describe('the fingerprint of a part', () => {
  it('sees a new content, not a new time; tests are no input', () => {
    const source = join(folder, 'source');
    mkdirSync(source);
    const paths = [relative(root, source)];
    writeFileSync(join(source, 'a.ts'), 'one');
    const before = { ...fingerprint(paths), content: fingerprint(paths).content() };
    utimesSync(join(source, 'a.ts'), new Date(0), new Date(0));
    expect(fingerprint(paths).quick).not.toBe(before.quick);
    expect(fingerprint(paths).content()).toBe(before.content);
    writeFileSync(join(source, 'a.test.ts'), 'anything');
    expect(fingerprint(paths).content()).toBe(before.content);
    writeFileSync(join(source, 'a.ts'), 'two');
    expect(fingerprint(paths).content()).not.toBe(before.content);
    writeFileSync(join(source, 'b.ts'), '');
    expect(fingerprint(paths).quick).not.toBe(before.quick);
  });
});

describe('npm start', () => {
  it.each([['--port', '0'], ['--port', '65536'], ['--port', 'x'], ['--prot', '1']])('refuses %s %s with code 2 before anything is installed', (...args) => {
    const result = spawnSync(process.execPath, [script('start'), ...args], { encoding: 'utf8' });
    expect(result.status).toBe(2);
    expect(result.stderr).toContain('vessel:');
  });

  it('explains itself', () => {
    expect(spawnSync(process.execPath, [script('start'), '--help'], { encoding: 'utf8' }).stdout).toContain('--browser');
  });
});

describe('Electron that dies before its window', () => {
  const program = (text: string): string => {
    const path = join(folder, 'electron');
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
    return path;
  };

  it.each([
    ['echo "x: error while loading shared libraries: libnss3.so: cannot open shared object file" >&2; exit 127', 'libnss3.so: cannot open shared object file'],
    ['echo "[1:ERROR:ozone] Missing X server or \\$DISPLAY" >&2; echo "stack" >&2; exit 1', 'Missing X server or $DISPLAY'],
    ['kill -SEGV $$', 'it ended with SIGSEGV'],
    ['exit 5', 'it ended with code 5'],
  ])('says why: %s', async (text, reason) => {
    expect(await runElectron(program(text), [])).toEqual({ failed: reason });
  });

  it('is no failure once the window was there', async () => {
    expect(await runElectron(program('touch "$VESSEL_READY_FILE"; exit 7'), [])).toEqual({ code: 7 });
  });

  it('that cannot be executed at all says so', async () => {
    expect(await runElectron(join(folder, 'absent'), [])).toMatchObject({ failed: expect.stringContaining('ENOENT') });
  });
});

describe('processes of a test run', () => {
  it('are found by their mark although they left their group, and ended; others are not touched', async () => {
    const id = `unit-${process.pid}`;
    const started: ChildProcess[] = [];
    const start = (env: NodeJS.ProcessEnv): ChildProcess => {
      const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], { detached: true, stdio: 'ignore', env });
      started.push(child);
      return child;
    };
    try {
      const ours = start({ ...process.env, [RUN_MARK]: id });
      // A hypervisor carries no mark, only the folder in its arguments.
      const bare = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)', join(folder, 'disk')], { detached: true, stdio: 'ignore', env: {} });
      started.push(bare);
      const foreign = start({ ...process.env, [RUN_MARK]: `${id}-other` });
      const end = new Promise((resolve) => { ours.once('close', (_code, signal) => resolve(signal)); });
      while (marked(id, folder).length < 2) await sleep(20);
      expect((await endMarked(id, 100, folder)).map(({ pid }) => pid).toSorted()).toEqual([ours.pid, bare.pid].toSorted());
      expect(await end).toBe('SIGTERM');
      expect(foreign.exitCode ?? foreign.signalCode).toBeNull();
    } finally {
      for (const child of started) child.kill('SIGKILL');
    }
  });
});

describe('running a program', () => {
  it('captures both outputs, reports a missing program as 127 and a deadline as such', async () => {
    expect(await run(process.execPath, ['-e', 'console.log(1); console.error(2); process.exit(3)'], { output: 'capture' })).toMatchObject({ code: 3, text: '1\n2\n' });
    expect(await run(join(folder, 'absent'), [], { output: 'capture' })).toMatchObject({ code: 127 });
    expect(await run(process.execPath, ['-e', 'setInterval(() => 0, 1000)'], { output: 'capture', timeoutMs: 200 })).toMatchObject({ timedOut: true });
    const aborted = new AbortController();
    setTimeout(() => aborted.abort(), 200);
    expect((await run(process.execPath, ['-e', 'setInterval(() => 0, 1000)'], { output: 'capture', signal: aborted.signal })).signal).toBe('SIGTERM');
  });
});

it('the list of Debian packages is well formed', () => {
  const lines = readFileSync(join(root, 'build', 'debian-packages.txt'), 'utf8').split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  expect(lines).toContain('chromium');
  expect(lines.every((line) => /^[a-z0-9][a-z0-9+.-]+$/.test(line))).toBe(true);
});
