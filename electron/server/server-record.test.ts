import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parseArguments } from './arguments.ts';
import { findRunningServer } from './running-server.ts';
import { readServerRecord, removeServerRecord, writeServerRecord } from './server-record.ts';

let home: string;
beforeEach(async () => { home = await mkdtemp(join(tmpdir(), 'vessel-home-')); });
afterEach(async () => { await rm(home, { recursive: true, force: true }); });

it('the record of a server is private, whole, and gone after its end', async () => {
  const record = { pid: process.pid, port: 8080, movedFrom: 8000, secret: 'a'.repeat(64), baseUrl: 'http://vessel.localhost:8080', version: '1', startedAt: 1 };
  await writeServerRecord(home, record);
  expect((await stat(join(home, 'run', 'server.json'))).mode & 0o777).toBe(0o600);
  expect(await readServerRecord(home)).toEqual(record);
  await removeServerRecord(home);
  expect(await readServerRecord(home)).toBeNull();
});

it('a home that is held by a server that does not answer is ALREADY_RUNNING', async () => {
  await writeServerRecord(home, { pid: process.pid, port: 1, movedFrom: null, secret: 'a'.repeat(64), baseUrl: '', version: '1', startedAt: 1 });
  await expect(findRunningServer(home, 150)).rejects.toMatchObject({ code: 'ALREADY_RUNNING' });
});

it('arguments are read strictly', () => {
  expect(parseArguments(['--port', '8080', '--no-open', '--json'])).toMatchObject({ port: 8080, open: false, json: true });
  expect(parseArguments([])).toMatchObject({ port: null, open: true, json: false, home: null });
  for (const wrong of [['--port', 'x'], ['--port', '70000'], ['--nope'], ['extra']]) expect(() => parseArguments(wrong)).toThrow();
});
