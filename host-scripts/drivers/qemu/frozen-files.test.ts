import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { frozenBase, frozenMemory, keepBases, sealMemory } from './frozen-files.ts';

let folder = '';
let machine: ChildProcess | null = null;
const signal = new AbortController().signal;
const cache = (name: string): string => join(folder, 'cache', name);
const directory = (): string => join(folder, 'vm');

/** A process that has these files of the cache open, as a hypervisor has. */
function holding(names: readonly string[]): number {
  const descriptors = names.map((name) => openSync(cache(name), 'r'));
  machine = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', ...descriptors] });
  for (const descriptor of descriptors) closeSync(descriptor);
  return machine.pid ?? 0;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vessel-frozen-'));
  mkdirSync(join(folder, 'cache'));
  mkdirSync(directory());
  for (const name of ['root.img', 'data.raw', 'disk.qcow2']) writeFileSync(cache(name), `content of ${name}`);
});
afterEach(() => {
  machine?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

describe('what lies below a machine that falls asleep', () => {
  it('must be found, or the machine stays awake', async () => {
    await expect(keepBases(directory(), holding(['root.img']), signal)).rejects.toMatchObject({ code: 'HIBERNATION_FAILED', message: expect.stringContaining('data.raw') as string });
  });
  it('gets a second name, so that the cache may go', async () => {
    await keepBases(directory(), holding(['root.img', 'data.raw', 'disk.qcow2']), signal);
    for (const [base, name] of [['root', 'root.img'], ['dataBase', 'data.raw'], ['templateDisk', 'disk.qcow2']] as const) {
      expect(statSync(frozenBase(directory(), base)).ino).toBe(statSync(cache(name)).ino);
    }
  });
  it('is copied out of the machine\'s own hands when its name is gone, or now another file\'s', async () => {
    const pid = holding(['root.img', 'data.raw', 'disk.qcow2']);
    unlinkSync(cache('disk.qcow2'));
    writeFileSync(cache('new'), 'a disk that was made anew');
    renameSync(cache('new'), cache('data.raw'));
    await keepBases(directory(), pid, signal);
    expect(readFileSync(frozenBase(directory(), 'templateDisk'), 'utf8')).toBe('content of disk.qcow2');
    expect(readFileSync(frozenBase(directory(), 'dataBase'), 'utf8')).toBe('content of data.raw');
    expect(existsSync(`${frozenBase(directory(), 'dataBase')}.part`)).toBe(false);
  });
  it('may be kept again, as at its second sleep', async () => {
    const pid = holding(['root.img', 'data.raw']);
    await keepBases(directory(), pid, signal);
    await keepBases(directory(), pid, signal);
    expect(existsSync(frozenBase(directory(), 'templateDisk'))).toBe(false);
  });
});

it('memory has its name only when it is whole', async () => {
  mkdirSync(join(directory(), 'frozen'));
  writeFileSync(join(directory(), 'disk'), 'disk');
  const part = `${frozenMemory(directory())}.part`;
  writeFileSync(part, 'memory');
  expect(await sealMemory(directory(), part, join(directory(), 'disk'))).toBe(6);
  expect(existsSync(part)).toBe(false);
});
