import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SshEnvironment, SshHop } from './config.ts';
import { resolveRoute } from './route.ts';

let home = '';
beforeEach(() => { home = mkdtempSync(join(tmpdir(), 'vessel-sshconf-')); mkdirSync(join(home, '.ssh', 'conf.d'), { recursive: true }); });
afterEach(() => rmSync(home, { recursive: true, force: true }));

const write = (name: string, ...lines: string[]): void => writeFileSync(join(home, '.ssh', name), `${lines.join('\n')}\n`);
const environment = (): SshEnvironment => ({ homeDirectory: home, localUser: 'me', env: { SSH_AUTH_SOCK: '/agent', OTHER: '/other' }, configFiles: [join(home, '.ssh', 'config'), join(home, 'system')], globalKnownHostsFiles: ['/etc/ssh/ssh_known_hosts'] });
const route = (target: string, identity: string | null = null): Promise<readonly SshHop[]> => resolveRoute(target, identity, environment());
const hop = async (target: string): Promise<SshHop> => { const last = (await route(target)).at(-1); if (last === undefined) throw new Error('no hop'); return last; };
const refused = (code: string, details?: object): unknown => expect.objectContaining({ code, ...(details === undefined ? {} : { details: expect.objectContaining(details) as unknown }) });

describe('the SSH configuration', () => {
  it('has the defaults of ssh(1) where there is none', async () => {
    expect(await hop('box')).toMatchObject({
      host: 'box', port: 22, user: 'me', agentSocket: '/agent', identitiesOnly: false, proxyJump: null, proxyCommand: null, notices: [], methods: ['publickey', 'keyboard-interactive', 'password'], addressFamily: 0, bindAddress: null,
      identityFiles: ['id_rsa', 'id_ecdsa', 'id_ed25519'].map((name) => join(home, '.ssh', name)), knownHostsFiles: [join(home, '.ssh', 'known_hosts'), join(home, '.ssh', 'known_hosts2'), '/etc/ssh/ssh_known_hosts'],
    });
  });

  it('reads the file of the user before the one of the system', async () => {
    write('config', 'Host box', '  User ada', '  IdentityFile ~/mine');
    writeFileSync(join(home, 'system'), 'Host *\n  User nobody\n  Port 2222\n  IdentityFile /theirs\n');
    expect(await hop('box')).toMatchObject({ user: 'ada', port: 2222, identityFiles: [join(home, 'mine'), '/theirs'] });
    expect(await hop('eve@box:7')).toMatchObject({ user: 'eve', port: 7 });
  });

  it('includes what lies in ~/.ssh by pattern, in order, passing over folders and hidden files, and refuses a circle', async () => {
    write('config', 'Include conf.d/*', 'Include ~/.ssh/[xy]-file', 'Host inner', '  Include only-inner', 'Host *', '  User last');
    mkdirSync(join(home, '.ssh', 'conf.d', '00-folder'));
    write('conf.d/.hidden', 'User hidden');
    write('conf.d/10-a.conf', 'Host a', '  User from-a');
    write('conf.d/20-b', 'Host a b', '  User from-b', '  Port 5');
    write('x-file', 'Host x', '  Port 9');
    write('only-inner', 'Port 77', 'Host nomatch', '  User no');
    const seen = await Promise.all(['a', 'b', 'inner', 'other', 'x'].map(async (name) => { const { user, port } = await hop(name); return [user, port]; }));
    expect(seen).toEqual([['from-a', 5], ['from-b', 5], ['last', 77], ['last', 22], ['last', 9]]);
    write('config', 'Include config');
    await expect(hop('a')).rejects.toThrow(refused('SSH_CONFIG_INVALID', { file: join(home, '.ssh', 'config'), line: 1 }) as Error);
  });

  it('passes over a configuration that is a folder, and one that cannot be read, with a notice', async () => {
    mkdirSync(join(home, '.ssh', 'config'));
    expect(await hop('box')).toMatchObject({ user: 'me' });
    rmSync(join(home, '.ssh', 'config'), { recursive: true });
    symlinkSync('config', join(home, '.ssh', 'config')); // a circle: no one can open it, root neither
    expect((await hop('box')).notices).toEqual([expect.stringContaining('cannot be read')]);
    rmSync(join(home, '.ssh', 'config'));
    write('config', 'Include broken');
    symlinkSync('broken', join(home, '.ssh', 'broken'));
    await expect(hop('box')).rejects.toThrow(refused('SSH_CONFIG_INVALID') as Error);
  });

  it('refuses a file that others may write: its lines can run commands', async (context) => {
    if (process.platform === 'win32') context.skip('Windows files have no mode');
    write('config', 'User x');
    chmodSync(join(home, '.ssh', 'config'), 0o620);
    await expect(hop('box')).rejects.toThrow(refused('SSH_CONFIG_INVALID', { file: join(home, '.ssh', 'config') }) as Error);
  });

  it('runs Match exec in the shell of the person, and ends one that does not come back', async () => {
    write('config', 'Match exec "test %n-$OTHER = box-/other"', '  User x');
    expect(await hop('box')).toMatchObject({ user: 'x' });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const proof = join(home, 'pid');
      write('config', `Match exec "echo $$ >${proof}.new; mv ${proof}.new ${proof}; exec cat /dev/zero"`, '  User x');
      const pending = expect(hop('box')).rejects.toThrow(refused('SSH_CONFIG_INVALID', { file: join(home, '.ssh', 'config'), line: 1 }) as Error);
      while (!existsSync(proof)) await new Promise((resolve) => { setImmediate(resolve); });
      await vi.advanceTimersByTimeAsync(60_000);
      await pending;
      const pid = Number(readFileSync(proof, 'utf8'));
      const gone = (): boolean => { try { process.kill(pid, 0); return false; } catch { return true; } };
      while (!gone()) await new Promise((resolve) => { setImmediate(resolve); });
    } finally {
      vi.useRealTimers();
    }
  });

  it('knows conditions of later releases, and names one that it does not know', async () => {
    write('config', 'Tag blue', 'Match tagged bl*', '  Port 5', 'Match localnetwork 127.0.0.0/8,::1/128', '  User near', 'Match version 9', '  User no', 'Match !sessiontype shell', '  User no');
    expect(await hop('box')).toMatchObject({ port: 5, user: 'near', notices: [expect.stringContaining('Match version'), expect.stringContaining('Match sessiontype')] });
    write('config', 'Match localnetwork nonsense', '  User x');
    await expect(hop('box')).rejects.toThrow(refused('SSH_CONFIG_INVALID') as Error);
  });

  it('lets keywords that it does not know stand', async () => {
    write('config', 'UseKeychain yes', 'SendEnv LANG LC_*', 'SetEnv A=b C=d', 'LocalForward 1 localhost:2', 'User x');
    expect(await hop('box')).toMatchObject({ user: 'x', notices: [] });
  });

  it('names what a login may hang on and Vessel does not do', async () => {
    write('config', 'Host box', '  StrictHostKeyChecking accept-new', '  CertificateFile ~/c', '  CanonicalizeHostname yes', '  KnownHostsCommand /x', 'Host *', '  HostbasedAuthentication no', '  StrictHostKeyChecking ask');
    expect((await hop('box')).notices.map((notice) => notice.split(' ')[0])).toEqual(['CanonicalizeHostname', 'CertificateFile', 'KnownHostsCommand', 'StrictHostKeyChecking']);
    expect((await hop('other')).notices).toEqual([]);
  });

  it('finds the agent that is meant', async () => {
    write('config', 'Host none', ' IdentityAgent none', 'Host own', ' IdentityAgent ~/agent.sock', 'Host env', ' IdentityAgent $OTHER', 'Host braces', ' IdentityAgent ${OTHER}', 'Host usual', ' IdentityAgent SSH_AUTH_SOCK', 'Host unset', ' IdentityAgent $UNSET');
    const agents = await Promise.all(['none', 'own', 'env', 'braces', 'usual', 'unset'].map(async (name) => (await hop(name)).agentSocket));
    expect(agents).toEqual([null, join(home, 'agent.sock'), '/other', '/other', '/agent', null]);
  });

  it('goes over jump hosts, each configured by itself, the first one possibly behind others or a command', async () => {
    write('config', 'Host target', ' ProxyJump ada@first:2200,second', 'Host first', ' HostName 10.0.0.1', ' ProxyJump gate', 'Host gate', ' ProxyCommand relay %h %p', 'Host second', ' Port 23', ' ProxyJump elsewhere', 'Host direct', ' ProxyJump none', 'Host direct', ' ProxyJump gate', 'Host by-token', ' ProxyJump jump-%h-%p');
    expect((await route('target')).map(({ alias, host, user, port }) => [alias, host, user, port])).toEqual([['gate', 'gate', 'me', 22], ['first', '10.0.0.1', 'ada', 2200], ['second', 'second', 'me', 23], ['target', 'target', 'me', 22]]);
    expect((await route('target'))[0]).toMatchObject({ proxyCommand: { shell: '/bin/sh', command: 'relay gate 22' } });
    expect(await route('direct')).toHaveLength(1);
    expect((await route('by-token:7')).map(({ alias }) => alias)).toEqual(['jump-by-token-7', 'by-token']);
  });

  it('refuses jumps in a circle and to nowhere, naming the host', async () => {
    write('config', 'Host circle', ' ProxyJump circle', 'Host nowhere', ' ProxyJump a:b');
    for (const name of ['circle', 'nowhere']) await expect(route(name), name).rejects.toThrow(refused('SSH_CONFIG_INVALID', { host: name }) as Error);
  });

  it('names file and line of what cannot be read', async () => {
    write('config', 'Host x', ' User "open');
    await expect(hop('x')).rejects.toThrow(refused('SSH_CONFIG_INVALID', { file: join(home, '.ssh', 'config'), line: 2 }) as Error);
  });

  it('takes a named key alone', async () => {
    expect((await route('box', '/keys/mine')).at(-1)).toMatchObject({ identityFiles: ['/keys/mine'], identitiesOnly: true });
  });
});
