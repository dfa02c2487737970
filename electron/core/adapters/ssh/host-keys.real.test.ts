import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { describeUnless } from '../../../../build/testing/describe-unless.ts';
import type { SshHost } from './ssh-host.ts';
import { hostOf, person, withKeys, type TestPerson } from './testing/client.ts';
import { makeKey, me, startSshd, whyNoSshd, type KeyPair, type Sshd } from './testing/sshd.ts';

describeUnless(whyNoSshd(), 'the key of a host', () => {
  let who: TestPerson;
  let key: KeyPair;
  let sshd: Sshd;
  let other: KeyPair;
  const hosts: SshHost[] = [];
  beforeAll(async () => {
    const first = person();
    key = makeKey(first.folder, 'key');
    other = makeKey(first.folder, 'other');
    sshd = await startSshd({ authorized: [key.publicLine] });
    const second = makeKey(sshd.folder, 'second_host_key', { type: 'rsa', bits: '2048' });
    appendFileSync(join(sshd.folder, 'config'), `\nHostKey ${second.path}\n`);
    await sshd.restart();
    return () => rmSync(first.folder, { recursive: true, force: true });
  });
  afterAll(() => sshd.stop());
  beforeEach(() => { who = person(); return async () => { await Promise.all(hosts.splice(0).map((host) => host.dispose())); rmSync(who.folder, { recursive: true, force: true }); }; });

  const host = (): SshHost => { const made = hostOf(who, `${me}@127.0.0.1:${sshd.port}`, key.path); hosts.push(made); return made; };
  const name = (): string => `[127.0.0.1]:${sshd.port}`;
  const knownHosts = (): string => join(who.folder, '.ssh', 'known_hosts');
  const keyOf = ({ publicLine }: KeyPair): string => publicLine.split(' ').slice(0, 2).join(' ');

  it('is unknown at first, with its fingerprint as ssh-keygen prints it, and nothing is sent or written', async () => {
    await expect(host().connect(withKeys())).rejects.toThrow(expect.objectContaining({ code: 'HOST_KEY_UNKNOWN', retryable: false, details: expect.objectContaining({ fingerprint: sshd.hostKey.fingerprint, type: 'ssh-ed25519', name: name() }) as unknown }));
    await expect(host().connect(withKeys(other.fingerprint))).rejects.toThrow(expect.objectContaining({ code: 'HOST_KEY_UNKNOWN' }));
    await expect(host().run(['true'])).rejects.toThrow(expect.objectContaining({ code: 'HOST_KEY_UNKNOWN' }));
    expect(sshd.log()).not.toContain('Accepted publickey');
    expect(() => statSync(who.hostKeys.ownFile)).toThrow();
  });

  it('is accepted by exactly its fingerprint, kept in a private file, and known from then on', async () => {
    await host().connect(withKeys(sshd.hostKey.fingerprint));
    expect(statSync(who.hostKeys.ownFile).mode & 0o777).toBe(0o600);
    expect(readFileSync(who.hostKeys.ownFile, 'utf8')).toBe(`${name()} ${keyOf(sshd.hostKey)}\n`);
    await host().connect(withKeys());
    // OpenSSH reads the same file.
    expect(execFileSync('ssh-keygen', ['-F', name(), '-f', who.hostKeys.ownFile], { encoding: 'utf8' })).toContain('found: line 1');
  });

  it('is found in a hashed known_hosts, which is never written', async () => {
    writeFileSync(knownHosts(), `${name()} ${keyOf(sshd.hostKey)}\n`);
    execFileSync('ssh-keygen', ['-q', '-H', '-f', knownHosts()], { stdio: 'ignore' });
    const before = readFileSync(knownHosts(), 'utf8');
    expect(before).toMatch(/^\|1\|/);
    await host().connect(withKeys());
    expect(readFileSync(knownHosts(), 'utf8')).toBe(before);
  });

  it('is asked about where the files of OpenSSH are folders or cannot be read, as ssh does', async () => {
    mkdirSync(knownHosts());
    symlinkSync('circle', join(who.folder, '.ssh', 'circle'));
    writeFileSync(join(who.folder, '.ssh', 'config'), `GlobalKnownHostsFile ${who.folder} ~/.ssh/circle /dev/null\n`);
    await expect(host().connect(withKeys())).rejects.toThrow(expect.objectContaining({ code: 'HOST_KEY_UNKNOWN' }));
    await host().connect(withKeys(sshd.hostKey.fingerprint));
  });

  it('is not looked for without the file of confirmed keys: it is named, and stays as it is', async () => {
    mkdirSync(who.hostKeys.ownFile, { recursive: true });
    await expect(host().connect(withKeys(sshd.hostKey.fingerprint))).rejects.toThrow(expect.objectContaining({ code: 'HOST_PERMISSION', details: expect.objectContaining({ file: who.hostKeys.ownFile }) as unknown }));
    expect(statSync(who.hostKeys.ownFile).isDirectory()).toBe(true);
    rmSync(who.hostKeys.ownFile, { recursive: true });
    rmSync(dirname(who.hostKeys.ownFile), { recursive: true });
    writeFileSync(dirname(who.hostKeys.ownFile), 'a file where a folder belongs');
    await expect(host().connect(withKeys(sshd.hostKey.fingerprint))).rejects.toThrow(expect.objectContaining({ code: 'HOST_PERMISSION' }));
  });

  it('is refused when RevokedHostKeys names it, and when that file cannot be read', async () => {
    const revoked = join(who.folder, 'revoked');
    const config = join(who.folder, '.ssh', 'config');
    writeFileSync(config, `RevokedHostKeys ${revoked}\n`);
    await expect(host().connect(withKeys(sshd.hostKey.fingerprint))).rejects.toThrow(expect.objectContaining({ code: 'SSH_CONFIG_INVALID' }));
    writeFileSync(revoked, `# old ones\n${other.publicLine}\n`);
    await host().connect(withKeys(sshd.hostKey.fingerprint));
    writeFileSync(revoked, `${other.publicLine}\n${sshd.hostKey.publicLine}\n`);
    await expect(host().connect(withKeys())).rejects.toThrow(expect.objectContaining({ code: 'HOST_KEY_REVOKED', details: expect.objectContaining({ file: revoked, line: 2 }) as unknown }));
    execFileSync('ssh-keygen', ['-q', '-k', '-f', revoked, `${other.path}.pub`]);
    await expect(host().connect(withKeys())).rejects.toThrow(expect.objectContaining({ code: 'SSH_CONFIG_INVALID', message: expect.stringContaining('binary') as unknown }));
    writeFileSync(config, 'RevokedHostKeys none\n');
    await host().connect(withKeys());
  });

  it('is not taken without being asked about, whatever StrictHostKeyChecking says; the failure names the line', async () => {
    writeFileSync(join(who.folder, '.ssh', 'config'), 'StrictHostKeyChecking no\n');
    await expect(host().connect(withKeys())).rejects.toThrow(expect.objectContaining({ code: 'HOST_KEY_UNKNOWN', details: expect.objectContaining({ notices: [expect.stringContaining('StrictHostKeyChecking no')] }) as unknown }));
    expect(who.logged.filter((line) => line.includes('StrictHostKeyChecking'))).toHaveLength(1);
  });

  it('is asked for in the type that is on file', async () => {
    const rsa = execFileSync('cat', [join(sshd.folder, 'second_host_key.pub')], { encoding: 'utf8' }).split(' ').slice(0, 2).join(' ');
    writeFileSync(knownHosts(), `${name()} ${rsa}\n`);
    await host().connect(withKeys());
  });

  it('that changed stops everything, names file and line, and no fingerprint talks it away', async () => {
    writeFileSync(knownHosts(), `# mine\n\n${name()} ${keyOf(other)}\n`);
    await expect(host().connect(withKeys(sshd.hostKey.fingerprint))).rejects.toThrow(expect.objectContaining({
      code: 'HOST_KEY_CHANGED', message: expect.stringContaining(`${knownHosts()}:3`) as unknown, details: expect.objectContaining({ file: knownHosts(), line: 3, fingerprint: sshd.hostKey.fingerprint }) as unknown,
    }));
    // The same for a key that was confirmed in Vessel.
    rmSync(knownHosts());
    await who.hostKeys.accept(name(), { type: 'ssh-ed25519', blob: Buffer.from(keyOf(other).split(' ')[1] ?? '', 'base64'), fingerprint: other.fingerprint });
    await expect(host().connect(withKeys(sshd.hostKey.fingerprint))).rejects.toThrow(expect.objectContaining({ code: 'HOST_KEY_CHANGED', details: expect.objectContaining({ file: who.hostKeys.ownFile, line: 1 }) as unknown }));
  });

  it('that is revoked, or vouched for by an authority, is refused by name', async () => {
    writeFileSync(knownHosts(), `${name()} ${keyOf(sshd.hostKey)}\n@revoked * ${keyOf(sshd.hostKey)}\n`);
    await expect(host().connect(withKeys(sshd.hostKey.fingerprint))).rejects.toThrow(expect.objectContaining({ code: 'HOST_KEY_REVOKED', details: expect.objectContaining({ line: 2 }) as unknown }));
    writeFileSync(knownHosts(), `@cert-authority ${name()} ${keyOf(other)}\n`);
    await expect(host().connect(withKeys())).rejects.toThrow(expect.objectContaining({ code: 'HOST_KEY_AUTHORITY', details: expect.objectContaining({ line: 1, fingerprint: sshd.hostKey.fingerprint }) as unknown }));
    await host().connect(withKeys(sshd.hostKey.fingerprint));
  });
});
