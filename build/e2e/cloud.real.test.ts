import { spawn } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startStack, type Stack } from '../../electron/core/adapters/cold-supabase/testing/stack.ts';
import { endHome } from './home.ts';

const CLI = fileURLToPath(new URL('../../electron/cli/main.ts', import.meta.url));
const homes: string[] = [];
let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
  for (const name of ['one', 'two']) homes.push(await mkdtemp(join(tmpdir(), `vsl-${name}-`)));
});
afterAll(async () => { for (const home of homes) await endHome(home); await stack.stop(); });

/** The real program with a home of its own; guests are plain processes. */
async function vessel(home: string, argv: readonly string[], input = ''): Promise<{ readonly code: number; readonly json: Record<string, unknown> }> {
  const child = spawn(process.execPath, [CLI, '--json', ...argv], { env: { ...process.env, VESSEL_HOME: home, VESSEL_CACHE: join(home, 'cache'), VESSEL_DRIVER: 'process', VESSEL_UNSAFE_PROCESS_DRIVER: '1' }, stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(input);
  const [out, code] = await Promise.all([text(child.stdout), new Promise<number>((resolve) => { child.once('exit', (exit) => resolve(exit ?? -1)); })]);
  return { code, json: JSON.parse(out) as Record<string, unknown> };
}

it('carries a project from one computer to another by the command line alone, through an outage', async () => {
  const [one = '', two = ''] = homes;
  const email = 'ada@example.com';
  expect((await vessel(one, ['account', 'status'])).json).toMatchObject({ state: 'not-configured' });
  await vessel(one, ['account', 'configure', stack.url, stack.publishableKey]);
  expect((await vessel(one, ['account', 'sign-up', email], 'correct horse\n')).json).toMatchObject({ state: 'online', email, defaultStore: 'supabase' });

  stack.faults.set(() => ({ kind: 'cut-upload', afterBytes: 0 }));
  const { json: { id } } = await vessel(one, ['project', 'create', 'Shop', '--template', 'node']);
  expect(await vessel(one, ['open', String(id)])).toMatchObject({ code: 0, json: { state: 'running' } });
  expect((await vessel(one, ['exec', String(id), '--', 'sh', '-c', 'echo by-one > one.txt'])).code).toBe(0);
  expect(await vessel(one, ['close', String(id)])).toMatchObject({ code: 0, json: { changed: true, archive: { rev: 2 } } });
  expect(await vessel(one, ['sync'])).toMatchObject({ code: 1, json: { pending: 3, error: { code: 'CLOUD_OFFLINE' } } });
  stack.faults.clear();
  expect(await vessel(one, ['sync'])).toMatchObject({ code: 0, json: { pending: 0 } });
  expect((await vessel(one, ['quit'])).code).toBe(0);

  await vessel(two, ['account', 'configure', stack.url, stack.publishableKey]);
  expect((await vessel(two, ['account', 'sign-in', email], 'correct horse\n')).json).toMatchObject({ state: 'online' });
  expect(await vessel(two, ['sync'])).toMatchObject({ code: 0 });
  expect(await vessel(two, ['open', String(id)])).toMatchObject({ code: 0, json: { state: 'running' } });
  expect((await vessel(two, ['exec', String(id), '--', 'cat', 'one.txt'])).json).toMatchObject({ stdout: 'by-one\n' });
  expect(await vessel(two, ['close', String(id)])).toMatchObject({ code: 0, json: { changed: false } });
  expect((await vessel(two, ['account', 'sign-out'])).json).toMatchObject({ state: 'signed-out' });
  expect((await vessel(two, ['quit'])).code).toBe(0);
});
