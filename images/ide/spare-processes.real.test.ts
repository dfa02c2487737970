import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SPARE_PROCESSES } from './spare-processes.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vessel-spare-'));
  writeFileSync(join(folder, 'child.mjs'), `
    process.send({ ready: process.pid });
    console.log('started');
    const timer = setTimeout(() => process.exit(9), 60_000);
    const stretched = timer._idleTimeout;
    process.on('message', (message) => {
      if (message.type !== undefined) return;
      clearTimeout(timer);
      process.send({ echo: message, stretched, argv: process.execArgv, name: process.env.NAME, address: process.env.VSCODE_PROXY_URI, later: setTimeout(() => undefined, 60_000).unref()._idleTimeout });
      if (message === 'end') process.disconnect();
    });
  `);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a server that forks as its script says; returns what it printed as JSON. */
function server(script: string): unknown {
  writeFileSync(join(folder, 'server.mjs'), `${SPARE_PROCESSES}
    import { fork as imported } from 'node:child_process';
    import { readFileSync } from 'node:fs';
    const child = ${JSON.stringify(join(folder, 'child.mjs'))};
    const start = (env = {}, type = 'extensionHost') => imported(child, ['--type=' + type], { env: { ...process.env, ...env }, execArgv: ['--no-warnings'], silent: true });
    /** Talks to a process until it has ended. */
    const session = (forked) => new Promise((resolve) => {
      const seen = { pid: forked.pid, messages: [], text: '' };
      forked.stdout.on('data', (data) => { seen.text += data; });
      forked.on('message', (message) => { seen.messages.push(message); if (message.ready !== undefined) forked.send('end'); });
      forked.on('close', () => resolve(seen));
    });
    const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
    const once = (forked, name) => new Promise((resolve) => forked.once(name, resolve));
    /** Keeps this process busy for so long, with turns of its loop in between. */
    const spin = async (ms) => {
      const began = performance.now();
      while (performance.now() - began < ms) {
        const until = performance.now() + 30;
        while (performance.now() < until);
        await new Promise(setImmediate);
      }
    };
    const print = (value) => { process.stdout.write('RESULT' + JSON.stringify(value)); process.exit(0); };
    ${script}
  `);
  // A spare that outlives its server must not hold the test: it inherits what the server would write to.
  const { stdout } = spawnSync(process.execPath, [join(folder, 'server.mjs')], { encoding: 'utf8', timeout: 20_000 });
  return JSON.parse(stdout.split('RESULT')[1] ?? 'null');
}

it('hands out a process that was started before it was asked for, with all it said until then', () => {
  const [first, second, children] = server(`
    const first = await session(start());
    await pause(400);
    const children = readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8');
    print([first, await session(start()), children]);
  `) as readonly [{ pid: number }, { pid: number; text: string; messages: readonly Record<string, unknown>[] }, string];
  expect(second.pid).not.toBe(first.pid);
  expect(second.messages).toEqual([{ ready: second.pid }, expect.objectContaining({ echo: 'end', stretched: 2_147_483_647, later: 60_000, argv: ['--no-warnings'] })]);
  expect(second.text).toContain('started');
  expect(children.split(' ')).toContain(String(second.pid));
});

it('says that a spare is ready once the server has time to spare, and no later than it must', () => {
  const [beforeCalm, waitedMs] = server(`
    await session(start());
    await pause(400);
    const began = performance.now();
    const BUSY_MS = 900;
    setImmediate(() => spin(BUSY_MS));
    const spare = start();
    await once(spare, 'message');
    const waited = performance.now() - began;
    spare.send('end');
    print([waited < BUSY_MS, waited]);
  `) as readonly [boolean, number];
  expect(beforeCalm).toBe(false);
  expect(waitedMs).toBeLessThan(6_500);
});

it('lets an extension host wait out a lull that is enough for a file watcher', () => {
  const [host, watcher] = server(`
    const BUSY_MS = 500, LULL_MS = 700;
    /** When a spare of this kind was said to be ready, with a lull from 500 to 1200 ms and the next from 1700 ms. */
    const readyAfter = async (type) => {
      await session(start({}, type));
      await pause(400);
      const began = performance.now();
      const busy = spin(BUSY_MS).then(() => pause(LULL_MS)).then(() => spin(BUSY_MS));
      const spare = start({}, type);
      await once(spare, 'message');
      const waited = performance.now() - began;
      spare.send('end');
      await busy;
      return waited;
    };
    print([await readyAfter('extensionHost'), await readyAfter('fileWatcher')]);
  `) as readonly [number, number];
  expect(host).toBeGreaterThan(1_700);
  expect(watcher).toBeGreaterThan(850);
  expect(watcher).toBeLessThan(1_700);
});

it('gives no process of another environment away, and still forks', () => {
  const [pids, name] = server(`
    await session(start({ NAME: 'one' }));
    await pause(300);
    const other = start({ NAME: 'two' });
    const seen = await session(other);
    print([other.pid === seen.pid, seen.messages[1].name]);
  `) as readonly [boolean, string];
  expect([pids, name]).toEqual([true, 'two']);
});

it('gives a process of another address away and tells it the new one first', () => {
  const [first, second] = server(`
    const first = await session(start({ VSCODE_PROXY_URI: './go/' }));
    await pause(400);
    print([first, await session(start({ VSCODE_PROXY_URI: 'http://demo.localhost/go/' }))]);
  `) as readonly [{ pid: number }, { pid: number; text: string; messages: readonly Record<string, unknown>[] }];
  expect(second.text).not.toContain('did not fit');
  expect(second.messages.at(-1)).toEqual(expect.objectContaining({ echo: 'end', stretched: 2_147_483_647, address: 'http://demo.localhost/go/', later: 60_000 }));
  expect(second.messages[0]).toEqual({ ready: second.pid });
  expect(second.pid).not.toBe(first.pid);
});

it('does without a spare that has ended', () => {
  const seen = server(`
    const first = start();
    const session1 = await session(first);
    await pause(200);
    const spare = start();
    spare.kill('SIGKILL');
    await once(spare, 'exit');
    await pause(300);
    print((await session(start())).messages.length);
  `);
  expect(seen).toBe(2);
});

it('ends a spare with its server, also with one that is killed', async () => {
  const pids = server(`
    await session(start());
    await pause(400);
    const children = () => readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').trim().split(' ').map(Number);
    process.stdout.write('RESULT' + JSON.stringify(children()));
    process.kill(process.pid, 'SIGKILL');
  `) as readonly number[];
  expect(pids).toHaveLength(1);
  // What is dead and not yet collected has no command line.
  const alive = (): readonly number[] => pids.filter((pid) => existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '');
  await expect.poll(alive, { timeout: 5_000 }).toEqual([]);
});

it('leaves every other fork alone', () => {
  const [one, two] = server(`
    const forked = [start({}, 'ptyHost'), start({}, 'ptyHost')];
    print((await Promise.all(forked.map(session))).map(({ messages }) => messages[1].stretched));
  `) as readonly number[];
  expect([one, two]).toEqual([60_000, 60_000]);
});
