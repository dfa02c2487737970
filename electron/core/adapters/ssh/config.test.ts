import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SshEnvironment, SshHop } from './config.ts';
import { resolveRoute } from './route.ts';

let home = '';
beforeEach(() => { home = mkdtempSync(join(tmpdir(), 'vessel-sshconf-')); mkdirSync(join(home, '.ssh', 'conf.d'), { recursive: true }); });
afterEach(() => rmSync(home, { recursive: true, force: true }));

const write = (name: string, ...lines: string[]): void => writeFileSync(join(home, '.ssh', name), `${lines.join('\n')}\n`);
const environment = (): SshEnvironment => ({ homeDirectory: home, localUser: 'me', env: { SSH_AUTH_SOCK: '/agent', OTHER: '/other' }, configFiles: [join(home, '.ssh', 'config'), join(home, 'system')], globalKnownHostsFiles: ['/etc/ssh/ssh_known_hosts'] });
const route = (target: string, identity: string | null = null): readonly SshHop[] => resolveRoute(target, identity, environment());
const hop = (target: string): SshHop => { const last = route(target).at(-1); if (last === undefined) throw new Error('no hop'); return last; };
const refused = (code: string): unknown => expect.objectContaining({ code });

describe('the SSH configuration', () => {
  it('has the defaults of ssh(1) where there is none', () => {
    expect(hop('box')).toMatchObject({ host: 'box', port: 22, user: 'me', agentSocket: '/agent', identitiesOnly: false, proxyJump: null, identityFiles: ['id_ed25519', 'id_ecdsa', 'id_rsa'].map((name) => join(home, '.ssh', name)), knownHostsFiles: [join(home, '.ssh', 'known_hosts'), join(home, '.ssh', 'known_hosts2'), '/etc/ssh/ssh_known_hosts'] });
  });

  it('lets the first value win, the target before all, keywords in any case, and adds up identity files', () => {
    write('config', 'host box b?x *.corp !bad.corp', '  hostname %h.example', '  USER ada', '  Port=2222', '  IdentityFile "~/keys/with space"', '  ServerAliveInterval 7', 'Host *', '  User nobody', '  Port 1', '  IdentityFile %d/.ssh/%r-%h', '  ConnectTimeout 3', '  ServerAliveCountMax 9', '  IdentitiesOnly yes');
    expect(hop('box')).toMatchObject({ host: 'box.example', user: 'ada', port: 2222, identityFiles: [join(home, 'keys', 'with space'), join(home, '.ssh', 'ada-box.example')], keepaliveMs: 7000, keepaliveCount: 9, connectTimeoutMs: 3000, identitiesOnly: true });
    expect(hop('eve@box:7')).toMatchObject({ user: 'eve', port: 7 });
    expect(hop('bx')).toMatchObject({ user: 'nobody' }); // "?" is exactly one character
    expect(hop('a.corp')).toMatchObject({ user: 'ada' });
    expect(hop('bad.corp')).toMatchObject({ user: 'nobody', host: 'bad.corp' });
  });

  it('follows Match by host, original name and users, with negation, and never runs Match exec', () => {
    const proof = join(home, 'ran');
    write('config', 'Host alias', '  HostName real.example', `Match exec "touch ${proof}"`, '  User executed', `Match !exec "touch ${proof}"`, '  User executed', 'Match host real.example originalhost alias', '  Port 11', 'Match host *.example !user me', '  HostKeyAlias negated', 'Match originalhost alias user me', '  User matched', 'Match all', '  ConnectTimeout 4');
    expect(hop('alias')).toMatchObject({ host: 'real.example', port: 11, user: 'matched', hostKeyAlias: null, connectTimeoutMs: 4000 });
    expect(hop('ada@alias')).toMatchObject({ hostKeyAlias: 'negated', user: 'ada' });
    expect(existsSync(proof)).toBe(false);
  });

  it('includes files by pattern, in order, also inside a Host block, and refuses a circle', () => {
    write('config', 'Include conf.d/*.conf', 'Host inner', '  Include only-inner', 'Host *', '  User last');
    write('conf.d/10-a.conf', 'Host a', '  User from-a');
    write('conf.d/20-b.conf', 'Host a b', '  User from-b', '  Port 5');
    write('only-inner', 'Port 77', 'Host nomatch', '  User no');
    expect([hop('a').user, hop('a').port, hop('b').user, hop('inner').port, hop('inner').user, hop('other').port]).toEqual(['from-a', 5, 'from-b', 77, 'last', 22]);
    write('config', 'Include config');
    expect(() => hop('a')).toThrow(refused('SSH_CONFIG_INVALID') as Error);
  });

  it('finds the agent that is meant', () => {
    write('config', 'Host none', ' IdentityAgent none', 'Host own', ' IdentityAgent ~/agent.sock', 'Host env', ' IdentityAgent $OTHER', 'Host braces', ' IdentityAgent ${OTHER}', 'Host usual', ' IdentityAgent SSH_AUTH_SOCK');
    expect(['none', 'own', 'env', 'braces', 'usual'].map((name) => hop(name).agentSocket)).toEqual([null, join(home, 'agent.sock'), '/other', '/other', '/agent']);
  });

  it('goes over jump hosts, each configured by itself, the first one possibly behind others', () => {
    write('config', 'Host target', ' ProxyJump ada@first:2200,second', 'Host first', ' HostName 10.0.0.1', ' ProxyJump gate', 'Host second', ' Port 23', ' ProxyJump elsewhere', 'Host direct', ' ProxyJump none', 'Host direct', ' ProxyJump gate');
    expect(route('target').map(({ alias, host, user, port }) => [alias, host, user, port])).toEqual([['gate', 'gate', 'me', 22], ['first', '10.0.0.1', 'ada', 2200], ['second', 'second', 'me', 23], ['target', 'target', 'me', 22]]);
    expect(route('direct')).toHaveLength(1);
  });

  it('refuses what it cannot do instead of doing something else', () => {
    write('config', 'Host command', ' ProxyCommand nc %h %p', 'Host port', ' Port many', 'Host token', ' HostName %q', 'Host circle', ' ProxyJump circle');
    for (const name of ['command', 'port', 'token', 'circle']) expect(() => route(name), name).toThrow(refused('SSH_CONFIG_INVALID') as Error);
  });

  it('names a file that cannot be parsed', () => {
    write('config', 'Host x', ' User "open');
    expect(() => hop('x')).toThrow(expect.objectContaining({ code: 'SSH_CONFIG_INVALID', details: { file: join(home, '.ssh', 'config') } }));
  });

  it('takes a named key alone', () => {
    expect(route('box', '/keys/mine').at(-1)).toMatchObject({ identityFiles: ['/keys/mine'], identitiesOnly: true });
  });
});
