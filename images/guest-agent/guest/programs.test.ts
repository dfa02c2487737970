import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { GuestProgramsSchema, WorkspaceOutSummarySchema, type GuestActivity, type GuestPrograms } from '#shared/guest-protocol.ts';
import { startTestAgent, type TestAgent } from '../testing/start-agent.ts';

let agent: TestAgent;
const children: ChildProcess[] = [];
beforeAll(async () => { agent = await startTestAgent(); });
afterAll(async () => { await agent.stop(); });
afterEach(async () => {
  await agent.call('/_vessel/v1/still', { method: 'DELETE' });
  for (const child of children.splice(0)) {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) continue;
    const ended = new Promise((resolve) => { child.once('exit', resolve); });
    process.kill(-child.pid, 'SIGKILL');
    await ended;
  }
  for (const name of readdirSync(agent.workspace)) rmSync(join(agent.workspace, name), { recursive: true });
});

/** A program of a person: it works in the workspace, in a session of its own. Resolves with its number once it has written `mark`. */
async function start(script: string, mark: string): Promise<number> {
  const child = spawn('sh', ['-c', script], { cwd: agent.workspace, detached: true, stdio: 'ignore' });
  children.push(child);
  await until(() => statSync(join(agent.workspace, mark), { throwIfNoEntry: false }) !== undefined);
  return child.pid ?? 0;
}
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 10_000; !await holds(); await after(5)) if (Date.now() > deadline) throw new Error('it did not come to that');
}
const programs = async (query = ''): Promise<GuestPrograms> => GuestProgramsSchema.parse(await agent.json(`/_vessel/v1/programs${query}`));
const end = async (waitMs: number): Promise<GuestPrograms> => GuestProgramsSchema.parse(await agent.json('/_vessel/v1/programs/end', { method: 'POST', body: JSON.stringify({ waitMs }) }));
const hold = (leaseMs: number): Promise<{ readonly hold: number }> => agent.json('/_vessel/v1/still', { method: 'PUT', body: JSON.stringify({ leaseMs }) });
const activity = (): Promise<GuestActivity> => agent.json('/_vessel/v1/activity');
const sizeOf = (name: string): number => statSync(join(agent.workspace, name)).size;

test('nothing runs: nothing is told, at once, and nobody is waited for', async () => {
  const began = Date.now();
  expect(await programs('?watchMs=5000')).toEqual({ programs: [], changing: [] });
  expect((await end(5000)).programs).toEqual([]);
  expect(Date.now() - began).toBeLessThan(2000);
});

test('a program is told with its command, the file it holds open, and what changes', async () => {
  const pid = await start('exec 3>>open.log; while :; do echo x >> often.log; echo x >&3; sleep 0.02; done', 'often.log');
  const seen = await programs('?watchMs=10000');
  expect(seen.programs[0]).toMatchObject({ pid, command: expect.stringContaining('echo x >> often.log') as string, wrote: expect.arrayContaining(['open.log']) as string[], how: 'running' });
  expect(['often.log', 'open.log']).toContain(seen.changing[0]);
});

test('what is asked to end and does is told as ended; what does not goes on', async () => {
  const willing = await start('while :; do echo x >> willing.log; sleep 0.02; done', 'willing.log');
  const stubborn = await start('trap "" TERM; while :; do echo x >> stubborn.log; sleep 0.02; done', 'stubborn.log');
  const { programs: told } = await end(400);
  expect(told.find(({ pid }) => pid === willing)?.how).toBe('ended');
  expect(told.find(({ pid }) => pid === stubborn)?.how).toBe('running');
  const before = sizeOf('stubborn.log');
  await until(() => sizeOf('stubborn.log') > before);
});

test('a program that starts itself anew is waited for no longer than was said', async () => {
  await start('trap "" TERM; while :; do (echo x >> again.log; sleep 0.01); done', 'again.log');
  const began = Date.now();
  const { programs: told } = await end(300);
  expect(Date.now() - began).toBeLessThan(3000);
  expect(told.length).toBeLessThanOrEqual(50);
  expect(told[0]?.how).toBe('running');
});

test('held still nothing changes, the save is whole, and let go everything goes on', async () => {
  await start('trap "" TERM; while :; do echo x >> held.log; done', 'held.log');
  const { hold: number } = await hold(60_000);
  const { changeCounter, hold: told } = await activity();
  expect(told).toBe(number);
  const size = sizeOf('held.log');
  const answer = await agent.call('/_vessel/v1/workspace/save', { method: 'POST', body: JSON.stringify({ exclude: { preset: 'safe', rules: [] } }) });
  const summary = WorkspaceOutSummarySchema.parse(JSON.parse(Buffer.from(answer.trailers['x-vessel-summary'] ?? '', 'base64url').toString()));
  expect(summary).toMatchObject({ changedWhileReading: [], changeCounter, contentBytes: size });
  expect(await activity()).toMatchObject({ changeCounter, hold: number });
  expect(await hold(60_000)).toEqual({ hold: number });
  expect(sizeOf('held.log')).toBe(size);
  await agent.call('/_vessel/v1/still', { method: 'DELETE' });
  expect((await activity()).hold).toBeUndefined();
  await until(() => sizeOf('held.log') > size);
  expect((await hold(60_000)).hold).not.toBe(number);
});

test('a hold that nobody keeps up ends by itself', async () => {
  await start('while :; do echo x >> lease.log; sleep 0.01; done', 'lease.log');
  await hold(100);
  await until(async () => (await activity()).hold === undefined);
  const size = sizeOf('lease.log');
  await until(() => sizeOf('lease.log') > size);
});

test('a large file that was written a moment ago is saved without a copy beside it while nothing may be written', async () => {
  const file = join(agent.workspace, 'large.bin');
  const fd = openSync(file, 'w');
  closeSync(fd);
  const pid = await start('exec 3>>large.bin; while :; do head -c 3000000 /dev/zero >&3; echo x > mark; done', 'mark');
  await until(() => sizeOf('large.bin') > 5_000_000);
  expect(pid).toBeGreaterThan(0);
  await hold(60_000);
  const temporary = readdirSync(join(agent.folder, 'tmp'));
  const answer = await agent.call('/_vessel/v1/workspace/save', { method: 'POST', body: JSON.stringify({ exclude: { preset: 'safe', rules: [] } }) });
  expect(answer.body.includes(readFileSync(file).subarray(0, 1000))).toBe(true);
  expect(readdirSync(join(agent.folder, 'tmp'))).toEqual(temporary);
});

test.each([['PUT', 'still', '{"leaseMs":-1}'], ['PUT', 'still', '{}'], ['POST', 'programs/end', '{"waitMs":1e9}'], ['GET', 'programs?watchMs=x', '']])('%s %s %s is refused', async (method, path, body) => {
  expect((await agent.call(`/_vessel/v1/${path}`, { method, body })).status).toBe(400);
});
