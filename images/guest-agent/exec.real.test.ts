import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ExecClient } from './testing/exec-client.ts';
import { makeTestFolder, startTestAgent, type TestAgent } from './testing/start-agent.ts';

let agent: TestAgent;
let modules: string;
beforeAll(async () => {
  modules = makeTestFolder();
  // The interface of node-pty over util-linux' script(1): a real terminal, without the native module that only the image has.
  writeFileSync(join(modules, 'pty.cjs'), `
    const { spawn } = require('node:child_process');
    exports.spawn = (file, args, options) => {
      const quoted = [file, ...args].map((part) => "'" + part.replaceAll("'", "'\\\\''") + "'").join(' ');
      const child = spawn('script', ['-qec', 'stty cols ' + options.cols + ' rows ' + options.rows + '; exec ' + quoted, '/dev/null'], { cwd: options.cwd, env: options.env, detached: true });
      return { pid: child.pid, onData: (use) => child.stdout.on('data', use), onExit: (use) => child.on('close', (code) => use({ exitCode: code })),
        write: (data) => child.stdin.write(data), resize() {}, pause: () => child.stdout.pause(), resume: () => child.stdout.resume() };
    };`);
  agent = await startTestAgent({ nodePty: join(modules, 'pty.cjs') });
});
afterAll(async () => {
  await agent.stop();
  rmSync(modules, { recursive: true });
});

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('output, exit code, working folder and environment come through', async () => {
  const client = new ExecClient(agent.port, { argv: ['sh', '-c', 'echo "$PWD|$GREETING|$USER"; echo problem >&2; exit 7'], env: { GREETING: 'hello' } });
  await client.closed;
  expect(client.stdout).toMatch(/workspace\|hello\|\w+\n/);
  expect(client.stderr).toBe('problem\n');
  expect(client.exit).toMatchObject({ code: 7, signal: null });
});

test('stdin is passed on and its end is seen', async () => {
  const client = new ExecClient(agent.port, { argv: ['wc', '-c'] });
  await client.until(() => client.messages.length > 0);
  for (let index = 0; index < 10; index += 1) client.input('x'.repeat(100_000));
  client.send({ type: 'stdin-end' });
  await client.closed;
  expect(client.stdout.trim()).toBe('1000000');
});

test('input that ends while the command is slow to read it does not hold up the end', async () => {
  const client = new ExecClient(agent.port, { argv: ['sh', '-c', 'sleep 0.3; wc -c'] });
  await client.until(() => client.messages.length > 0);
  client.input('x'.repeat(60_000));
  client.input('x'.repeat(60_000));
  client.send({ type: 'stdin-end' });
  const began = performance.now();
  await client.closed;
  expect(client.stdout.trim()).toBe('120000');
  expect(performance.now() - began).toBeLessThan(10_000);
});

test('a signal reaches the whole process group', async () => {
  const client = new ExecClient(agent.port, { argv: ['sh', '-c', 'sleep 60 & echo $!; wait'] });
  await client.until(() => client.stdout.includes('\n'));
  client.send({ type: 'signal', signal: 'SIGTERM' });
  await client.closed;
  expect(client.exit).toMatchObject({ code: null, signal: 'SIGTERM' });
  await client.until(() => !isAlive(Number(client.stdout)));
});

test('when the client goes away the command and its children end', async () => {
  const client = new ExecClient(agent.port, { argv: ['sh', '-c', 'sleep 60 & echo $!; wait'] });
  await client.until(() => client.stdout.includes('\n'));
  client.socket.terminate();
  await client.until(() => !isAlive(Number(client.stdout)));
});

test('ten megabytes of output arrive whole before the exit', async () => {
  const client = new ExecClient(agent.port, { argv: ['head', '-c', '10000000', '/dev/zero'] });
  await client.closed;
  expect(client.stdoutBytes).toBe(10_000_000);
  expect(client.exit?.code).toBe(0);
});

test('a slow client pauses the command instead of filling memory', async () => {
  const client = new ExecClient(agent.port, { argv: ['sh', '-c', 'head -c 50000000 /dev/zero; echo done >&2'] });
  await client.until(() => client.messages.length > 0);
  client.socket.pause();
  await new Promise((resolve) => { setTimeout(resolve, 200); });
  expect(client.stderr).toBe('');
  client.socket.resume();
  await client.closed;
  expect([client.stdoutBytes, client.stderr]).toEqual([50_000_000, 'done\n']);
});

test.each([[['no-such-command']], [['/etc']], [['./missing']]])('%j is EXEC_FAILED', async (argv) => {
  const client = new ExecClient(agent.port, { argv });
  await client.closed;
  expect(client.messages).toMatchObject([{ type: 'error', error: { code: 'EXEC_FAILED' } }]);
});

test('a missing working folder is EXEC_FAILED and malformed messages are BAD_REQUEST', async () => {
  const missing = new ExecClient(agent.port, { argv: ['true'], cwd: 'not/here' });
  const malformed = new ExecClient(agent.port, { argv: [] });
  await Promise.all([missing.closed, malformed.closed]);
  expect(missing.messages[0]?.error?.code).toBe('EXEC_FAILED');
  expect(malformed.messages[0]?.error?.code).toBe('BAD_REQUEST');
});

test('a server left in the background does not hold the exit back', async () => {
  const client = new ExecClient(agent.port, { argv: ['sh', '-c', 'setsid sleep 3 & echo started'] });
  await client.closed;
  expect([client.stdout, client.exit?.code]).toEqual(['started\n', 0]);
});

test('a terminal is a terminal', async () => {
  const client = new ExecClient(agent.port, { argv: ['sh', '-c', 'test -t 1 && stty size && read line && echo "got $line"'], pty: { cols: 91, rows: 17 } });
  await client.until(() => client.stdout.includes('17 91'));
  client.input('hello\n');
  await client.closed;
  expect(client.stdout).toContain('got hello');
  expect(client.exit).toMatchObject({ code: 0 });
});
