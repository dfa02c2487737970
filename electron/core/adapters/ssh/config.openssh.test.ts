import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeUnless } from '../../../../build/testing/describe-unless.ts';
import { CIPHERS, HOST_KEYS, KEY_EXCHANGES, MACS } from './algorithms.ts';
import { resolveHop, type SshHop } from './config.ts';
import { resolveRoute } from './route.ts';
import { parseTarget } from './target.ts';
import { askProgram, environmentOf, localUser, programReading, readingOf, whyNoSsh } from './testing/openssh.ts';

let folder = '';
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vessel-ssh-g-')); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const file = (): string => join(folder, 'config');
const write = (text: string, name = 'config'): void => writeFileSync(join(folder, name), `${text.replaceAll('FOLDER', folder)}\n`, { mode: 0o644 });
const hop = (target: string): Promise<SshHop> => resolveHop(parseTarget(target), environmentOf(file()));
/** `ada@box:7` as arguments of ssh. */
const argsOf = (target: string): readonly string[] => { const { user, host, port } = parseTarget(target); return [...(user === null ? [] : ['-l', user]), ...(port === null ? [] : ['-p', String(port)]), host]; };

/** Lines of a configuration, and the targets that are asked about (`a` where none is given). */
const SAME: readonly (readonly [text: string, ...targets: readonly string[]])[] = [
  ['', 'a', 'A', 'ada@a:7', '::1', '10.0.0.1'],
  // Hosts and patterns
  ['Host b?x *.corp !bad.corp\n User x', 'box', 'bx', 'a.corp', 'bad.corp', 'BOX', 'corp'],
  ['Host !a *\n User x', 'a', 'b'], ['Host * !a\n User x', 'a', 'b'], ['Host !a\n User x', 'a', 'b'],
  ['Host "a" b\n User x\nHost c\n User y\n', 'a', 'b', 'c'],
  ['Host a.c\n User x', 'abc'], ['Host a|b\n User x', 'a'], ['Host a,b\n User x', 'a'],
  ['User first\nHost a\n User second\n Port 5\nHost *\n Port 6', 'a', 'ada@a', 'a:9'],
  // Quotes, "=", comments, blanks, case, ends of lines
  ['user=x\nPORT = 7\nHostKeyAlias\t=\ty'], ['User "x"\nHostKeyAlias "a b"'], ['User \'x y\'\nHostKeyAlias a\\ b'], ['User x # comment\nHostKeyAlias a#b'], ['User "x y"#c'],
  ['  \t User x  \t\r\n\r\n# c\n   # d\nPort 7\f'], ['User "x\\"y"\nHostKeyAlias \'a"b\''], ['"User" x'], ['User=\'=x\''], ['HostKeyAlias "a\\\\b"'],
  // Match
  ['Match host box\n User x', 'box', 'BOX'], ['Match originalhost box\n User x', 'box', 'BOX'], ['Match originalhost B*\n User x', 'box', 'BOX'],
  ['Host a\n HostName Real.Example\nMatch host real.example\n User x\nMatch originalhost a\n Port 8', 'a', 'real.example'],
  ['Match host=a,b\n User x', 'a', 'b', 'c'], ['Match host *,!b\n User x', 'a', 'b'], ['Match !host a\n User x', 'a', 'b'], ['Match host "a" user *,!ada # c\n User x', 'a', 'ada@a'],
  [`Match user ada\n Port 8\nMatch localuser ${localUser}\n HostKeyAlias y\nMatch !localuser ${localUser}\n HostKeyAlias z`, 'a', 'ada@a'],
  ['User bob\nMatch user bob\n Port 8', 'a', 'ada@a'], ['Match all\n User x\nMatch !all\n Port 8'], ['Match host a all\n User x', 'a', 'b'], ['Match host a !all\n User x'],
  ['Match exec true\n User x\nMatch !exec true\n Port 8\nMatch !exec "exit 3"\n HostKeyAlias y'], ['Match exec "test %n = A" host=a\n User x', 'A', 'a'], ['Match exec "test $OTHER = /other"\n User x'],
  // The second pass
  ['Host a\n HostName REAL.Example\nMatch final host real.example\n User fin\nMatch canonical\n Port 7\nHost real.example\n HostKeyAlias byhost', 'a', 'b'],
  ['Match final all\n User x\nHost a\n User y'], ['Match !final host a\n User x\nMatch all\n User y', 'a', 'b'], ['Match canonical all\n User x'], ['Match host nothing final\n User x\nHost B\n Port 3', 'B', 'b'],
  ['HostName %h.x\nMatch final\n User x', 'a'],
  // Include
  ['Include FOLDER/one*\nUser last', 'a', 'in'], ['Host a\n Include FOLDER/one.conf\n Port 9\nHost *\n User last', 'a', 'in', 'b'], ['Include FOLDER/none FOLDER/nothing/*\nUser x'], ['Include "FOLDER/on?.conf" FOLDER/t[vw]o.conf', 'a', 'in', 'b'],
  ['Include FOLDER/d/*\nInclude FOLDER/d', 'a'], ['Include FOLDER/*/inner.conf', 'a'], ['Include FOLDER/d/.h*\nInclude FOLDER/d/[!x]*', 'a'],
  // Times and numbers
  ...['30', '1m', '1m30s', '1M30', '2h', '1d', '1w', '1w2d3h4m5s', '90s', '0', 'none'].map((time): readonly [string] => [`ConnectTimeout ${time}\nServerAliveInterval ${time}`]),
  ['ConnectTimeout none\nConnectTimeout 5'], ['ServerAliveCountMax 7'], ['ServerAliveCountMax 0'], ['Port ssh'],
  // Names and tokens
  ['HostName %h.Example.ORG', 'a', 'A'], ['HostName 10.0.0.%h', '7'], ['HostName %%%h', 'a'], ['HostKeyAlias Some.Name\nUserKnownHostsFile /%k'], ['User %u'],
  ['HostName FooBar\nHostKeyAlias XX\nIdentityFile /%C/%L/%d/%h/%k/%l/%n/%p/%r/%u/%i/%%', 'A', 'ada@A:7'], ['HostName FooBar\nIdentityFile /%k/%h', 'A'],
  ['HostName FooBar\nUserKnownHostsFile ~/x-%C-%h-%k "/a b/%n-%p" ${OTHER}/%r-%u-%i-%l-%L\nGlobalKnownHostsFile ~/g /y/%h'], ['UserKnownHostsFile none\nGlobalKnownHostsFile none'], ['UserKnownHostsFile /a /b\nUserKnownHostsFile /c'],
  // Keys and agents
  ['IdentityFile ~/a\nIdentityFile "~/b c"\nIdentityFile ~/a\nIdentityFile %d/.ssh/%r-%h\nIdentitiesOnly yes'], ['IdentityFile none'], ['IdentityFile none\nIdentityFile ~/x'], ['IdentityFile ${OTHER}/x-%%'], ['IdentityFile ~daemon/x'], ['IdentityFile ~root/.ssh/y'],
  ['Host a\n IdentityFile /1\nHost *\n IdentityFile /2\nMatch user ada\n IdentityFile /3', 'a', 'b', 'ada@a'], ['IdentitiesOnly true'], ['IdentitiesOnly NO'],
  ['IdentityAgent none'], ['IdentityAgent SSH_AUTH_SOCK'], ['IdentityAgent $OTHER'], ['IdentityAgent ${OTHER}/s'], ['IdentityAgent ~/agent-%h-%r.sock'], ['IdentityAgent "/a b"'], ['IdentityAgent $UNSET'],
  // The way
  ['ProxyJump none\nProxyCommand false %h'], ['ProxyCommand none\nProxyJump foo'], ['ProxyJump u@h:22,b@c:9 # c'], ['ProxyJump ssh://b@c:9'], ['ProxyJump [::1]:22'], ['ProxyJump one\nProxyCommand false'], ['ProxyCommand false one\nProxyJump two'], ['ProxyJump none\nProxyJump foo'],
  ['HostName FooBar\nProxyCommand false %h "%n" %p %r %% \'%k\' # not a comment', 'A', 'ada@A:7'], ['ProxyCommand = false "x y" $OTHER'], ['ProxyCommand none'], ['ProxyCommand=false %h'],
  ['AddressFamily inet'], ['AddressFamily INET6'], ['AddressFamily any'], ['BindAddress 127.0.0.1'],
  // Ways to log in
  ['PreferredAuthentications password,gssapi-with-mic,publickey'], ['PubkeyAuthentication no'], ['PubkeyAuthentication unbound'], ['PasswordAuthentication no\nKbdInteractiveAuthentication no'], ['ChallengeResponseAuthentication no'], ['BatchMode yes\nServerAliveInterval 5'],
  ['PreferredAuthentications keyboard-interactive\nKbdInteractiveAuthentication no'],
];

/** What ssh(1) ends at. */
const WRONG: readonly string[] = [
  'User', 'User "open', "User it's", 'User a b', 'User ""', 'Port 0', 'Port 70000', 'Port many', 'Port 1 2', 'ConnectTimeout 1x', 'ConnectTimeout m', 'ServerAliveInterval -1', 'ServerAliveInterval 1 2', 'ServerAliveCountMax x', 'IdentitiesOnly perhaps',
  'Match', 'Match host', 'Match all host a', 'Match user * host * all', 'Match exec "echo %x"', 'Include', 'Include FOLDER/config', 'Include FOLDER/others.conf', 'HostName %x', 'HostName %p', 'IdentityFile %x', 'IdentityFile /x%', 'IdentityFile ${UNSET}/x', 'IdentityFile ${OTHER',
  'IdentityFile ~nosuchuser/x', 'IdentityFile /a /b', 'UserKnownHostsFile %x', 'UserKnownHostsFile ${UNSET}', 'IdentityAgent ${UNSET}/x', 'IdentityAgent $a-b', 'ProxyCommand false %x', 'ProxyJump a b', 'ProxyJump @', 'AddressFamily ipv4', 'Ciphers nothing', 'KexAlgorithms ',
];

describeUnless(whyNoSsh(), 'the SSH configuration, as OpenSSH reads it', () => {
  beforeEach(() => {
    mkdirSync(join(folder, 'd', 'sub'), { recursive: true });
    write('Host a in\n User from-one\n Port 11', 'one.conf');
    write('Host b\n User from-two\n', 'two.conf');
    write('Port 12', 'd/inner.conf');
    write('HostKeyAlias hidden', 'd/.hidden');
    write('User x', 'others.conf');
    chmodSync(join(folder, 'others.conf'), 0o666);
  });

  it.each(SAME)('%j', async (text, ...targets) => {
    write(text);
    for (const target of targets.length === 0 ? ['a'] : targets) expect(readingOf(await hop(target)), target).toEqual(programReading(file(), argsOf(target)));
  });

  it.each(WRONG)('%j is refused, with a code, as ssh ends at it', async (text) => {
    write(text);
    expect(() => programReading(file(), ['a'])).toThrow(/ssh refuses/);
    await expect(resolveRoute('a', null, environmentOf(file()))).rejects.toThrow(expect.objectContaining({ code: 'SSH_CONFIG_INVALID' }));
  });

  it('gives the command of Match exec every token', async () => {
    const proof = join(folder, 'proof');
    write(`HostName FooBar\nPort 8\nHostKeyAlias XX\nMatch exec "echo '%C %L %d %h %k %l %n %p %r %u %i %%' >${proof}"\n User x`);
    askProgram(file(), argsOf('ada@A'));
    const said = readFileSync(proof, 'utf8');
    rmSync(proof);
    expect(await hop('ada@A')).toMatchObject({ user: 'ada', port: 8 });
    expect(readFileSync(proof, 'utf8')).toBe(said);
  });

  it('runs no command of a block that cannot hold', async () => {
    const proof = join(folder, 'proof');
    write(`Match host other exec "touch ${proof}"\n User x\nHost other\n Include FOLDER/exec.conf`);
    write(`Match exec "touch ${proof}"\n User x`, 'exec.conf');
    const ours = readingOf(await hop('a'));
    expect(existsSync(proof)).toBe(false);
    // OpenSSH 9.2 runs the one in the included file, to no effect.
    expect(ours).toEqual(programReading(file(), ['a']));
  });

  it.each(['Ciphers aes256-ctr,aes128-ctr', 'Ciphers -aes128*', 'Ciphers +aes256-cbc', 'Ciphers ^aes256-ctr', 'MACs -*sha1*', 'MACs hmac-sha2-512', 'KexAlgorithms -*nistp*,*group1?-*', 'KexAlgorithms +diffie-hellman-group14-sha1', 'HostKeyAlgorithms -*nist*', 'HostKeyAlgorithms ^rsa-sha2-256', 'HostKeyAlgorithms +ssh-rsa', 'HostKeyAlgorithms ssh-ed25519,rsa-sha2-512'])('%s', async (text) => {
    write(text);
    const [keyword = '', list = ''] = text.toLowerCase().split(' ');
    const { algorithms } = await hop('a');
    const [ours, known, query] = ({ ciphers: [algorithms.ciphers, CIPHERS, 'cipher'], macs: [algorithms.macs, MACS, 'mac'], kexalgorithms: [algorithms.kex, KEY_EXCHANGES, 'kex'], hostkeyalgorithms: [algorithms.hostKeys, HOST_KEYS, 'HostKeyAlgorithms'] } as const)[keyword as 'ciphers'];
    // Compared over what both can do; their orders of preference are their own where the line names none.
    const both = spawnSync('ssh', ['-Q', query], { encoding: 'utf8' }).stdout.trim().split('\n').filter((name) => [...known.usual, ...known.more].includes(name));
    const shared = (names: readonly string[]): readonly string[] => { const found = names.filter((name) => both.includes(name)); return /^[+^-]/.test(list) ? found.toSorted() : found; };
    const theirs = askProgram(file(), ['a']).get(keyword)?.[0]?.split(',') ?? [];
    expect(shared(ours ?? [])).toEqual(shared(theirs));
    if (list.startsWith('^')) expect(ours?.[0]).toBe(theirs[0]);
  });
});
