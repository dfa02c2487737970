import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runIn, testTerminal } from './testing/test-runtime.ts';
import { runVessel } from './run.ts';
import { isAlive } from './process-alive.ts';

/** The command line as a real process whose server is the fake one. */
const PROGRAM = `
  import { runVessel } from ${JSON.stringify(new URL('run.ts', import.meta.url).href)};
  import { processRuntime } from ${JSON.stringify(new URL('runtime.ts', import.meta.url).href)};
  const runtime = { ...processRuntime(), serverCommand: [process.execPath, ${JSON.stringify(new URL('testing/fake-server-main.ts', import.meta.url).pathname)}] };
  process.exitCode = await runVessel(process.argv.slice(1), runtime);
`;

let home = '';
const starts = (): string[] => existsSync(join(home, 'starts')) ? readFileSync(join(home, 'starts'), 'utf8').trim().split('\n') : [];
const asProcess = (...argv: string[]) => promisify(execFile)(process.execPath, ['--input-type=module', '--eval', PROGRAM, '--', ...argv], { env: { ...process.env, VESSEL_HOME: home } });

beforeEach(() => { home = mkdtempSync(join(tmpdir(), 'vessel-cli-start-')); });
afterEach(async () => {
  await runIn(home, 'quit', '--force');
  rmSync(home, { recursive: true, force: true });
});

describe('a Vessel in the background', () => {
  it('is started by the first command that needs one, survives it, and is ended by quit', async () => {
    expect((await runIn(home, 'project', 'list', '--json')).json).toEqual({ projects: [] });
    expect((await runIn(home, 'status', '--json')).json).toMatchObject({ running: true, home, environments: [] });
    expect(starts()).toHaveLength(1);
    expect(starts()[0]).toContain('--no-open');
    expect(statSync(join(home, 'logs/server.log')).mode & 0o777).toBe(0o600);
    const pid = Number(starts()[0]?.split(' ')[0]);
    expect((await runIn(home, 'quit', '--json')).json).toEqual({ stopped: true });
    expect(isAlive(pid)).toBe(false);
    expect(await runIn(home, 'quit')).toMatchObject({ code: 0, out: 'Vessel was not running\n' });
  });

  it('is started once by four processes at the same time', async () => {
    const answers = await Promise.all([1, 2, 3, 4].map(() => asProcess('project', 'list', '--json')));
    for (const { stdout, stderr } of answers) {
      expect(JSON.parse(stdout)).toEqual({ projects: [] });
      expect(stderr).toBe('');
    }
    expect(starts()).toHaveLength(1);
  }, 30_000);

  it('is started in place of one that died without removing its run file', async () => {
    mkdirSync(join(home, 'run'));
    writeFileSync(join(home, 'run/server.json'), JSON.stringify({ pid: 1, port: 1, secret: 'x'.repeat(32), baseUrl: '', version: '', startedAt: 1 }));
    expect(await runIn(home, 'project', 'list')).toMatchObject({ code: 0 });
    expect(starts()).toHaveLength(1);
  });

  it('that cannot start is told with the end of its log and code 7', async () => {
    writeFileSync(join(home, 'refuse'), '');
    const ran = await runIn(home, 'project', 'list', '--json');
    expect(ran.code).toBe(7);
    expect(ran.json).toMatchObject({ error: { code: 'SERVER_START_FAILED', logTail: ['the disk is on fire'], message: expect.stringContaining('exit code 3') as string } });
  });

  it('is not started by status, by quit, or against --no-start', async () => {
    expect(await runIn(home, 'status', '--json')).toMatchObject({ code: 7, json: { running: false, home } });
    expect(await runIn(home, 'project', 'list', '--no-start')).toMatchObject({ code: 7, err: expect.stringContaining('vessel serve') as string });
    expect(starts()).toEqual([]);
  });

  it('is served on request, on the port asked for, and only once', async () => {
    const first = await runIn(home, 'serve', '--port', '4567', '--json');
    expect(first.json).toMatchObject({ started: true, url: expect.stringContaining('ticket') as string });
    expect(starts()[0]).toContain('--port 4567');
    expect((await runIn(home, 'serve', '--json')).json).toMatchObject({ started: false, pid: first.json['pid'] });
    expect(await runIn(home, 'serve', '--foreground')).toMatchObject({ code: 4, err: expect.stringContaining('ALREADY_RUNNING') as string });
  });

  it('refuses to end while environments run, unless forced', async () => {
    await runIn(home, 'serve');
    writeFileSync(join(home, 'busy'), '');
    expect(await runIn(home, 'quit')).toMatchObject({ code: 4 });
    expect(await runIn(home, 'quit', '--force')).toMatchObject({ code: 0, out: 'Vessel has ended\n' });
  });
});

describe('the process', () => {
  it('in the foreground ends cleanly with the server when it is interrupted', async () => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM, '--', 'serve', '--foreground'], { env: { ...process.env, VESSEL_HOME: home }, stdio: 'ignore' });
    for (let tries = 0; tries < 200 && !existsSync(join(home, 'run/server.json')); tries += 1) await new Promise((resolve) => { setTimeout(resolve, 25); });
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(existsSync(join(home, 'run/server.json'))).toBe(false);
  });

  it('refuses a run file whose secret the server does not know', async () => {
    await runIn(home, 'serve');
    const path = join(home, 'run/server.json');
    const whole = readFileSync(path, 'utf8');
    writeFileSync(path, JSON.stringify({ ...(JSON.parse(whole) as object), secret: 'wrong'.repeat(8) }));
    const terminal = testTerminal(home);
    expect(await runVessel(['project', 'list'], terminal.runtime)).toBe(7);
    expect(terminal.err()).toContain('UNAUTHENTICATED');
    writeFileSync(path, whole);
  });
});
