import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostProbe } from '#shared/contract.ts';
import type { RemoteRunOptions, RemoteRunResult } from '../../../ports/remote-host.ts';
import { FileSecretStore } from '../../secrets/file-secret-store.ts';
import { answering } from '../testing/client.ts';
import { RootAccess } from './root-access.ts';

const NAME = 'sudo-password:ada@box:22';

describe('the rights of root', () => {
  let folder = '';
  let secrets: FileSecretStore;
  let sudo: HostProbe['sudo'] = 'password';
  let refusal = 'Sorry, try again.';
  const ran: { readonly argv: readonly string[]; readonly stdin: string }[] = [];
  const host = {
    probe: () => Promise.resolve({ sudo, user: 'ada', hostname: 'box' } as HostProbe),
    run: (argv: readonly string[], { stdin }: RemoteRunOptions = {}): Promise<RemoteRunResult> => {
      const given = String(stdin ?? '');
      ran.push({ argv, stdin: given });
      const right = sudo !== 'password' || given.startsWith('right\n');
      return Promise.resolve({ code: right ? 0 : 1, signal: null, stdout: '', stderr: right ? '' : refusal });
    },
  };
  const access = (): RootAccess => new RootAccess({ host, secrets, secretName: () => Promise.resolve(NAME) });
  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vroot-')); secrets = new FileSecretStore(join(folder, 'secrets.json')); sudo = 'password'; refusal = 'Sorry, try again.'; ran.length = 0; });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('cannot be had where nobody can be asked for the password, or there is no sudo', async () => {
    await expect(access().authorize(null)).rejects.toThrow(expect.objectContaining({ code: 'SUDO_PASSWORD_NEEDED' }));
    await expect(access().command(['id'])).rejects.toThrow(expect.objectContaining({ code: 'SUDO_PASSWORD_NEEDED' }));
    sudo = 'absent';
    await expect(access().authorize(null)).rejects.toThrow(expect.objectContaining({ code: 'SUDO_UNAVAILABLE' }));
  });

  it('are refused at once to a user whom the host does not list, without asking again', async () => {
    refusal = 'ada is not in the sudoers file.';
    const { prompter, asked } = answering(['right?']);
    await expect(access().authorize(prompter)).rejects.toThrow(expect.objectContaining({ code: 'SUDO_UNAVAILABLE', message: 'ada may not use sudo on box' }));
    expect(asked).toHaveLength(1);
  });

  it('end after three wrong passwords, and a declined question is no attempt', async () => {
    const { prompter, asked } = answering(['a'], ['b'], ['c']);
    await expect(access().authorize(prompter)).rejects.toThrow(expect.objectContaining({ code: 'SUDO_UNAVAILABLE' }));
    expect(asked.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    await expect(access().authorize(answering(null).prompter)).rejects.toThrow(expect.objectContaining({ code: 'SSH_PROMPT_CANCELLED' }));
    expect(await secrets.get(NAME)).toBeNull();
  });

  it('ask once: the password then goes first into stdin, never into arguments, and only into memory', async () => {
    const { prompter, asked } = answering(['wrong'], ['right']);
    const root = access();
    await root.authorize(prompter);
    expect(asked.map(({ kind, fields }) => [kind, fields[0]?.echo])).toEqual([['password', false], ['password', false]]);
    await root.authorize(null);
    await root.run(['sh', '-c', 'cat'], { input: 'for the command' });
    expect(ran.at(-1)).toEqual({ argv: ['sudo', '-k', '-S', '-p', '', '--', 'sh', '-c', 'cat'], stdin: 'right\nfor the command' });
    expect(ran.flatMap(({ argv }) => argv)).not.toContain('right');
    expect(await new FileSecretStore(join(folder, 'secrets.json')).get(NAME)).toBeNull();
  });

  it('ask again when the password that was kept has changed on the host', async () => {
    await secrets.put(NAME, 'old', 'forever');
    await expect(access().authorize(null)).rejects.toThrow(expect.objectContaining({ code: 'SUDO_PASSWORD_NEEDED' }));
    expect(await secrets.get(NAME)).toBeNull();
  });

  it('need nothing where sudo asks nothing', async () => {
    sudo = 'passwordless';
    await access().authorize(null);
    expect(await access().command(['id'])).toEqual({ argv: ['sudo', '-n', '--', 'id'], preamble: '' });
  });
});
