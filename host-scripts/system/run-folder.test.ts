import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { itUnless, NOT_ROOT } from '../../build/testing/describe-unless.ts';
import { hostPaths } from '../paths.ts';
import { ensureRunFolder } from './run-folder.ts';

const self = process.getuid?.() ?? 0;
const STRANGER = 65_534;
let parent: string;
let path: string;
beforeEach(() => { parent = mkdtempSync(join(tmpdir(), 'vessel-run-')); path = join(parent, 'run'); });
afterEach(() => { rmSync(parent, { recursive: true, force: true }); });

const refused = (why: string): object => ({ code: 'FOLDER_UNSAFE', message: expect.stringContaining(why) as string, hint: expect.stringContaining('XDG_RUNTIME_DIR') as string });

describe('the folder for sockets', () => {
  it('lies in /tmp only for a user without a session of the system\'s', () => {
    expect(hostPaths({ env: {}, isRoot: false }).run).toBe(`/tmp/vessel-${self}`);
    expect(hostPaths({ env: { XDG_RUNTIME_DIR: '/run/user/1000' }, isRoot: false }).run).toBe('/run/user/1000/vessel');
  });

  it('is made for its owner alone, and closed when it was open to readers', async () => {
    await ensureRunFolder(path);
    const made = statSync(path).mode & 0o777;
    expect(made).toBe(self === 0 ? 0o711 : 0o700);
    chmodSync(path, 0o755);
    await ensureRunFolder(path);
    expect(statSync(path).mode & 0o777).toBe(made);
  });

  it('is refused when it is a link, also to a folder of one\'s own', async () => {
    mkdirSync(join(parent, 'elsewhere'));
    symlinkSync(join(parent, 'elsewhere'), path);
    await expect(ensureRunFolder(path)).rejects.toMatchObject(refused('symbolic link'));
  });

  it('is refused when it is a file', async () => {
    writeFileSync(path, '');
    await expect(ensureRunFolder(path)).rejects.toMatchObject(refused('not a folder'));
  });

  it('is refused when others may write to it', async () => {
    mkdirSync(path);
    chmodSync(path, 0o777);
    await expect(ensureRunFolder(path)).rejects.toMatchObject(refused('other users'));
  });

  itUnless(NOT_ROOT, 'is refused when another user made it first', async () => {
    mkdirSync(path);
    chownSync(path, STRANGER, STRANGER);
    await expect(ensureRunFolder(path)).rejects.toMatchObject(refused(`belongs to the user ${STRANGER}`));
  });
});
