import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { describeUnless } from '../../../../build/testing/describe-unless.ts';
import type { SshHost } from './ssh-host.ts';
import { answering, hostOf, person, withKeys, type TestPerson } from './testing/client.ts';
import { makeKey, me, startSshd, whyNoSshd, type KeyPair, type Sshd } from './testing/sshd.ts';
import { makeTestUser, whyNoTestUser } from './testing/test-user.ts';

const undo: (() => Promise<void> | void)[] = [];
afterEach(async () => { for (const step of undo.splice(0).reverse()) await step(); });

const somebody = (env: Readonly<Record<string, string>> = {}): TestPerson => { const who = person(env); undo.push(() => rmSync(who.folder, { recursive: true, force: true })); return who; };
const server = async (...args: Parameters<typeof startSshd>): Promise<Sshd> => { const sshd = await startSshd(...args); undo.push(() => sshd.stop()); return sshd; };
const reach = (who: TestPerson, sshd: Sshd, identity: string | null = null, user = me): SshHost => { const host = hostOf(who, `${user}@127.0.0.1:${sshd.port}`, identity); undo.push(() => host.dispose()); return host; };
const works = async (host: SshHost): Promise<void> => { expect(await host.run(['id', '-un'])).toMatchObject({ code: 0, stderr: '' }); };

/** A real ssh-agent holding the given keys; the public halves may stay on disk. */
async function agentWith(...paths: readonly string[]): Promise<string> {
  const socket = join(tmpdir(), `va${process.pid}-${Math.random().toString(36).slice(2, 8)}`);
  const child = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  undo.push(() => { child.kill(); rmSync(socket, { force: true }); });
  await expect.poll(() => { try { return statSync(socket).isSocket(); } catch { return false; } }).toBe(true);
  for (const path of paths) execFileSync('ssh-add', ['-q', path], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: 'ignore' });
  return socket;
}

describeUnless(whyNoSshd(), 'logging in with keys', () => {
  it.each([['ed25519', undefined], ['rsa', '2048'], ['ecdsa', '256']] as const)('takes a key file of type %s', async (type, bits) => {
    const who = somebody();
    const key = makeKey(who.folder, 'key', { type, ...(bits === undefined ? {} : { bits }) });
    const sshd = await server({ authorized: [key.publicLine] });
    const host = reach(who, sshd, key.path);
    await host.connect(withKeys(sshd.hostKey.fingerprint));
    await works(host);
  });

  it('asks for the passphrase of an encrypted key once, and not again when it reconnects', async () => {
    const who = somebody();
    const key = makeKey(who.folder, 'key', { passphrase: 'open sesame' });
    const sshd = await server({ authorized: [key.publicLine] });
    const host = reach(who, sshd, key.path);
    const { prompter, asked } = answering(['wrong'], ['open sesame']);
    await host.connect({ prompter, acceptHostKeys: [sshd.hostKey.fingerprint] });
    expect(asked).toMatchObject([{ kind: 'passphrase', subject: key.path, attempt: 1, fields: [{ echo: false }] }, { attempt: 2 }]);
    await host.dispose();
    const again = reach(who, sshd, key.path);
    await works(again);
    expect(asked).toHaveLength(2);
  });

  it('fails with SSH_PASSPHRASE_NEEDED where nobody can be asked, and never asks for a key that the host would not take', async () => {
    const who = somebody();
    const key = makeKey(who.folder, 'key', { passphrase: 'open sesame' });
    const takes = await server({ authorized: [key.publicLine] });
    await expect(reach(who, takes, key.path).connect(withKeys(takes.hostKey.fingerprint))).rejects.toThrow(expect.objectContaining({ code: 'SSH_PASSPHRASE_NEEDED', details: { key: key.path } }));
    const other = await server();
    const { prompter, asked } = answering();
    await expect(reach(who, other, key.path).connect({ prompter, acceptHostKeys: [other.hostKey.fingerprint] })).rejects.toThrow(expect.objectContaining({ code: 'SSH_AUTH_FAILED', details: expect.objectContaining({ offered: ['publickey'], tried: [`publickey (${key.path})`] }) as unknown }));
    expect(asked).toEqual([]);
  });

  it('takes keys of the agent first, RSA too, and needs no file for them', async () => {
    const who = somebody();
    const key = makeKey(who.folder, 'key', { type: 'rsa', bits: '2048' });
    const stranger = makeKey(who.folder, 'stranger');
    const socket = await agentWith(stranger.path, key.path);
    rmSync(key.path);
    const sshd = await server({ authorized: [key.publicLine] });
    const withAgent = { ...who, environment: { ...who.environment, env: { SSH_AUTH_SOCK: socket } } };
    const host = reach(withAgent, sshd);
    await host.connect(withKeys(sshd.hostKey.fingerprint));
    await works(host);
  });

  it('offers with IdentitiesOnly just the named key of a full agent, and the agent spares the passphrase', async () => {
    const who = somebody();
    const key = makeKey(who.folder, 'key', { passphrase: '' });
    const others = Array.from({ length: 8 }, (_unused, index) => makeKey(who.folder, `other${index}`));
    const socket = await agentWith(...others.map(({ path }) => path), key.path);
    // More keys than the server lets anybody try; without IdentitiesOnly this login would be cut off.
    const sshd = await server({ authorized: [key.publicLine], config: ['MaxAuthTries 3'] });
    execFileSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', 'secret', '-f', key.path]);
    writeFileSync(join(who.folder, '.ssh', 'config'), `Host box\n  HostName 127.0.0.1\n  Port ${sshd.port}\n  User ${me}\n  IdentityFile ${key.path}\n  IdentitiesOnly yes\n  IdentityAgent ${socket}\n`);
    const host = hostOf(who, 'box');
    undo.push(() => host.dispose());
    await host.connect(withKeys(sshd.hostKey.fingerprint));
    await works(host);
  });

  it.each([['x.pub beside nothing', 'key.pub'], ['the private half missing', 'key']])('takes with IdentitiesOnly a key that only the agent holds: IdentityFile names %s', async (_what, named) => {
    const who = somebody();
    const key = makeKey(who.folder, 'key');
    const others = Array.from({ length: 8 }, (_unused, index) => makeKey(who.folder, `other${index}`));
    const socket = await agentWith(...others.map(({ path }) => path), key.path);
    rmSync(key.path);
    const sshd = await server({ authorized: [key.publicLine] });
    writeFileSync(join(who.folder, '.ssh', 'config'), `Host *\n  IdentityFile ${join(who.folder, named)}\n  IdentitiesOnly yes\n  IdentityAgent ${socket}\n`);
    const host = reach(who, sshd);
    await host.connect(withKeys(sshd.hostKey.fingerprint));
    await works(host);
    const without = { ...who, environment: { ...who.environment, configFiles: [join(who.folder, 'none')] } };
    await expect(reach(without, sshd, join(who.folder, named)).connect(withKeys())).rejects.toThrow(expect.objectContaining({ code: 'SSH_AUTH_FAILED', message: expect.stringContaining(`the agent does not hold the key of ${join(who.folder, named)}`) as unknown }));
  });

  it.each(['no', 'yes'])('offers the keys that ssh offers, in its order (IdentitiesOnly %s)', async (onlyNamed) => {
    const who = somebody();
    const [first, second, third, file, last] = ['first', 'second', 'third', 'file', 'last'].map((name) => makeKey(who.folder, name)) as [KeyPair, KeyPair, KeyPair, KeyPair, KeyPair];
    const socket = await agentWith(first.path, second.path, third.path, last.path);
    rmSync(third.path);
    const sshd = await server();
    const config = join(who.folder, '.ssh', 'config');
    writeFileSync(config, `IdentityAgent ${socket}\nIdentityFile ${last.path}\nIdentityFile ${file.path}\nIdentityFile ${third.path}.pub\nIdentityFile ${who.folder}/absent\nIdentitiesOnly ${onlyNamed}\n`);
    const { stderr } = spawnSync('ssh', ['-v', '-F', config, '-o', 'UserKnownHostsFile=/dev/null', '-o', 'StrictHostKeyChecking=no', '-o', 'BatchMode=yes', '-p', String(sshd.port), '127.0.0.1'], { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
    const theirs = [...stderr.matchAll(/Offering public key: .* (SHA256:\S+)/g)].map(([, fingerprint]) => fingerprint);
    expect(theirs).toHaveLength(onlyNamed === 'yes' ? 3 : 5);
    const host = reach(who, sshd);
    await expect(host.connect(withKeys(sshd.hostKey.fingerprint))).rejects.toThrow(expect.objectContaining({ code: 'SSH_AUTH_FAILED' }));
    const failures = [...sshd.log().matchAll(/Failed publickey for .* (SHA256:\S+)/g)].map(([, fingerprint]) => fingerprint);
    expect(failures.slice(-theirs.length)).toEqual(theirs);
    expect(failures).toHaveLength(theirs.length * 2);
  });

  it('tries only the ways that the configuration allows, in its order', async () => {
    const who = somebody();
    const key = makeKey(join(who.folder, '.ssh'), 'id_ed25519');
    const sshd = await server({ authorized: [key.publicLine] });
    const config = join(who.folder, '.ssh', 'config');
    writeFileSync(config, 'PubkeyAuthentication no\n');
    await expect(reach(who, sshd).connect(withKeys(sshd.hostKey.fingerprint))).rejects.toThrow(expect.objectContaining({ code: 'SSH_AUTH_FAILED', message: expect.stringContaining('publickey is switched off in the SSH configuration') as unknown }));
    writeFileSync(config, `Ciphers aes256-ctr\nKexAlgorithms ecdh-sha2-nistp384\nMACs hmac-sha2-512\nAddressFamily inet\nBindAddress 127.0.0.1\n`);
    await works(reach(who, sshd));
    writeFileSync(config, 'BindAddress 192.0.2.1\n');
    await expect(reach(who, sshd).connect(withKeys())).rejects.toThrow(expect.objectContaining({ code: 'SSH_CONFIG_INVALID', message: expect.stringContaining('192.0.2.1') as unknown }));
  });

  it('goes on without an agent that does not answer', async () => {
    const who = somebody({ SSH_AUTH_SOCK: '/nonexistent/agent' });
    const key = makeKey(join(who.folder, '.ssh'), 'id_ed25519');
    const sshd = await server({ authorized: [key.publicLine] });
    const host = reach(who, sshd);
    await host.connect(withKeys(sshd.hostKey.fingerprint));
    await works(host);
  });
});

const noUser = whyNoSshd() ?? whyNoTestUser();
describeUnless(noUser, 'logging in with passwords and second factors, through PAM', () => {
  const PAM = ['UsePAM yes'];

  it('asks for the password, anew after a wrong one, keeps it for reconnecting, and fails with its code where nobody is', async () => {
    const user = makeTestUser();
    undo.push(() => user.remove());
    const who = somebody();
    const sshd = await server({ config: [...PAM, 'PasswordAuthentication yes'] });
    const trust = [sshd.hostKey.fingerprint];
    await expect(reach(who, sshd, null, user.name).connect(withKeys(...trust))).rejects.toThrow(expect.objectContaining({ code: 'SSH_PASSWORD_NEEDED', details: expect.objectContaining({ offered: ['publickey', 'password'] }) as unknown }));
    const host = reach(who, sshd, null, user.name);
    const { prompter, asked } = answering(['no'], [user.password]);
    await host.connect({ prompter, acceptHostKeys: trust });
    expect(asked).toMatchObject([{ kind: 'password', subject: `${user.name}@127.0.0.1`, attempt: 1 }, { attempt: 2 }]);
    expect((await host.run(['id', '-un'])).stdout).toBe(`${user.name}\n`);
    await host.dispose();
    await works(reach(who, sshd, null, user.name));
    const cancelled = answering(null);
    await expect(reach({ ...who, secrets: somebody().secrets }, sshd, null, user.name).connect({ prompter: cancelled.prompter, acceptHostKeys: trust })).rejects.toThrow(expect.objectContaining({ code: 'SSH_PROMPT_CANCELLED' }));
  });

  it('answers keyboard-interactive after a key was taken as the first factor (the file, and an agent with RSA)', async () => {
    const user = makeTestUser();
    undo.push(() => user.remove());
    const who = somebody();
    const key = makeKey(who.folder, 'key', { type: 'rsa', bits: '2048' });
    const sshd = await server({ authorized: [key.publicLine], config: [...PAM, 'KbdInteractiveAuthentication yes', 'AuthenticationMethods publickey,keyboard-interactive'] });
    open(sshd);
    const trust = [sshd.hostKey.fingerprint];
    await expect(reach(who, sshd, key.path, user.name).connect(withKeys(...trust))).rejects.toThrow(expect.objectContaining({ code: 'SSH_PASSWORD_NEEDED', details: expect.objectContaining({ offered: ['publickey'], taken: [key.path], stillWanted: ['keyboard-interactive'] }) as unknown }));
    const socket = await agentWith(key.path);
    for (const environment of [who.environment, { ...who.environment, env: { SSH_AUTH_SOCK: socket } }]) {
      const host = reach({ ...who, environment, secrets: somebody().secrets }, sshd, key.path, user.name);
      const { prompter, asked } = answering([user.password]);
      await host.connect({ prompter, acceptHostKeys: trust });
      expect(asked).toMatchObject([{ kind: 'questions', fields: [{ label: 'Password:', echo: false }] }]);
      await works(host);
    }
  });

  it('names a login shell that prints into commands, with what it printed', async () => {
    const user = makeTestUser({ bashrc: 'echo "Welcome to the machine"\n' });
    undo.push(() => user.remove());
    const who = somebody();
    const key = makeKey(who.folder, 'key');
    const sshd = await server({ authorized: [key.publicLine] });
    open(sshd);
    await expect(reach(who, sshd, key.path, user.name).connect(withKeys(sshd.hostKey.fingerprint))).rejects.toThrow(expect.objectContaining({ code: 'SHELL_JUNK', details: { printed: 'Welcome to the machine' } }));
    writeFileSync(join(user.home, '.bashrc'), 'case $- in *i*) ;; *) return ;; esac\necho "Welcome"\n');
    const quiet = reach(who, sshd, key.path, user.name);
    await works(quiet);
    expect((await quiet.probe()).sudo).toMatch(/absent|password/);
  });

  /** The server reads authorized_keys as the user who logs in. */
  function open(sshd: Sshd): void {
    chmodSync(sshd.folder, 0o711);
    chmodSync(join(sshd.folder, 'authorized_keys'), 0o644);
    expect(readFileSync(join(sshd.folder, 'config'), 'utf8')).toContain('AuthorizedKeysFile');
  }
});
