import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, open, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createHost } from '../infra-agent/create-host.ts';
import { hostPaths } from '../paths.ts';
import { boundLog } from './bound-log.ts';
import { TAIL_BYTES } from './log-tail.ts';

let folder: string;
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'vessel-log-')); });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('keeps the end of a log that grew too long, and its writer goes on after it', async () => {
  const path = join(folder, 'console.log');
  const writer = await open(path, 'a');
  await writer.write('x'.repeat(3 * TAIL_BYTES));
  await writer.write('the last line\n');
  await boundLog(path, 2 * TAIL_BYTES);
  await writer.write('and the next\n');
  await writer.close();
  const text = await readFile(path, 'utf8');
  expect(text).toHaveLength(TAIL_BYTES + 'and the next\n'.length);
  expect(text.endsWith('the last line\nand the next\n')).toBe(true);
});

it('leaves shorter logs and missing ones alone', async () => {
  const path = join(folder, 'short.log');
  await writeFile(path, 'short\n');
  await boundLog(path);
  expect(await readFile(path, 'utf8')).toBe('short\n');
  await boundLog(join(folder, 'none.log'));
});

it('happens whenever the VMs are looked at', async () => {
  const paths = hostPaths({ env: {}, isRoot: false, home: join(folder, 'home'), cache: join(folder, 'cache') });
  await mkdir(join(paths.vms, 'chatty'), { recursive: true });
  await writeFile(join(paths.vms, 'chatty', 'console.log'), Buffer.alloc(17 * 1024 * 1024, 'x'));
  const host = createHost({ paths, driver: 'qemu', isRoot: false, role: 'desktop', background: false, log: () => undefined });
  expect((await host.watchVms()).map(({ id, state }) => [id, state])).toEqual([['chatty', 'broken']]);
  expect((await stat(join(paths.vms, 'chatty', 'console.log'))).size).toBe(TAIL_BYTES);
  await host.close();
});
