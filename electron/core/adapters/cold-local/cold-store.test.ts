import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { coldStoreContract, manifestContract } from './cold-store.contract.ts';
import { openLocalColdStore } from './cold-store.ts';

const folders: string[] = [];
const fresh = (): string => { const folder = mkdtempSync(join(tmpdir(), 'vessel-cold-')); folders.push(folder); return folder; };
afterAll(() => { for (const folder of folders) rmSync(folder, { recursive: true, force: true }); });

coldStoreContract('a local folder', {
  make: () => openLocalColdStore(fresh()),
  damage: async (store, projectId, sha256) => { await writeFile(store.localPath(projectId, sha256) ?? '', 'damaged'); },
});

manifestContract('a local folder', () => openLocalColdStore(fresh()));

describe('the local cold store', () => {
  it('sweeps what crashed puts left and keeps everything else', async () => {
    const root = fresh();
    mkdirSync(join(root, 'p'));
    for (const name of ['.put-1-x', '.manifest-1-x', `${'a'.repeat(64)}.zip`, '1.json', 'note.txt']) writeFileSync(join(root, 'p', name), 'x');
    await openLocalColdStore(root);
    expect(readdirSync(join(root, 'p')).sort()).toEqual(['1.json', `${'a'.repeat(64)}.zip`, 'note.txt']);
  });
  it('names manifests that cannot be read and goes on', async () => {
    const root = fresh();
    mkdirSync(join(root, 'p'));
    writeFileSync(join(root, 'p', '1.json'), '{"v":1');
    const bad: string[] = [];
    expect(await (await openLocalColdStore(root)).manifests((path) => bad.push(path))).toEqual([]);
    expect(bad).toEqual([join(root, 'p', '1.json')]);
  });
  it('never lets a hash be a path', async () => {
    const store = await openLocalColdStore(fresh());
    await expect(store.open('p', '../../etc/passwd')).rejects.toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });
});
