import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { describeUnless } from '../../../../build/testing/describe-unless.ts';
import type { HostConnection } from '#shared/contract.ts';
import { SshConnection } from './connection.ts';
import { resolveRoute } from './route.ts';
import type { SshHost } from './ssh-host.ts';
import { hostOf, person, withKeys, type TestPerson } from './testing/client.ts';
import { isRoot, makeKey, me, startCutter, startSshd, whyNoSshd, type Cutter, type KeyPair, type Sshd } from './testing/sshd.ts';

const undo: (() => Promise<void> | void)[] = [];
afterEach(async () => { for (const step of undo.splice(0).reverse()) await step(); });

type Site = { readonly who: TestPerson; readonly key: KeyPair; readonly sshd: Sshd; readonly cutter: Cutter; readonly host: SshHost; readonly configure: (lines: string) => void };
/** One person, one server, a wire between them that can be cut. */
async function site(config: readonly string[] = [], client = ''): Promise<Site> {
  const who = person();
  undo.push(() => rmSync(who.folder, { recursive: true, force: true }));
  const key = makeKey(join(who.folder, '.ssh'), 'id_ed25519');
  const sshd = await startSshd({ authorized: [key.publicLine], config });
  undo.push(() => sshd.stop());
  const cutter = await startCutter(sshd.port);
  undo.push(() => cutter.close());
  const configure = (lines: string): void => writeFileSync(join(who.folder, '.ssh', 'config'), lines);
  configure(client);
  const host = hostOf(who, `${me}@127.0.0.1:${cutter.port}`);
  undo.push(() => host.dispose());
  return { who, key, sshd, cutter, host, configure };
}
async function connected(...args: Parameters<typeof site>): Promise<Site> {
  const made = await site(...args);
  await made.host.connect(withKeys(made.sshd.hostKey.fingerprint));
  return made;
}
const code = (name: string, more: object = {}): unknown => expect.objectContaining({ code: name, ...more });

describeUnless(whyNoSshd(), 'a connection', () => {
  it('is made once for everybody who asks at the same time', async () => {
    const { host, cutter, sshd, who } = await site();
    const states: HostConnection['state'][] = [];
    host.onConnection(({ state }) => states.push(state));
    await who.hostKeys.accept(`[127.0.0.1]:${cutter.port}`, { type: 'ssh-ed25519', blob: Buffer.from(sshd.hostKey.publicLine.split(' ')[1] ?? '', 'base64'), fingerprint: '' });
    const results = await Promise.all(Array.from({ length: 5 }, (_unused, index) => host.run(['echo', String(index)])));
    expect(results.map(({ stdout }) => stdout.trim())).toEqual(Array.from({ length: 5 }, (_unused, index) => String(index)));
    expect(cutter.accepted()).toBe(1);
    expect(states).toEqual(['connecting', 'connected']);
  });

  it('passes arguments through the shell of the host untouched', async () => {
    const { host } = await connected();
    const nasty = ['', ' ', "it's", '"', '$HOME', '`id`', '\\', '\n', '*', '~', 'a=b', '-n', ';exit 3', '$(false)', 'ü€😀', "'\\''", '!!', '#', '{a,b}'];
    const { stdout, code: exit } = await host.run(['printf', '[%s]\\n', ...nasty]);
    expect(exit).toBe(0);
    expect(stdout).toBe(nasty.map((word) => `[${word}]\n`).join(''));
  });

  it('tells exit codes and signals, feeds input, and ends what is cancelled or late', async () => {
    const { host } = await connected();
    expect(await host.run(['sh', '-c', 'cat; echo oops >&2; exit 7'], { stdin: 'hello' })).toEqual({ code: 7, signal: null, stdout: 'hello', stderr: 'oops\n' });
    expect(await host.run(['sh', '-c', 'kill -KILL $$'])).toMatchObject({ code: null, signal: 'SIGKILL' });
    await expect(host.run(['sleep', '30'], { deadlineMs: 200 })).rejects.toThrow(code('TIMEOUT') as Error);
    const abort = new AbortController();
    const pending = host.run(['sleep', '30'], { signal: abort.signal });
    setTimeout(() => abort.abort(), 100);
    await expect(pending).rejects.toThrow(code('CANCELLED') as Error);
  });

  it('waits for its reader: a slow one makes the command wait and not the memory grow', async () => {
    const { host } = await connected();
    const process = await host.exec(['sh', '-c', 'head -c 64000000 /dev/zero; echo done >&2']);
    const said = text(process.stderr);
    await sleep(500);
    expect(await Promise.race([said.then(() => 'ended'), sleep(0).then(() => 'waits')])).toBe('waits');
    let bytes = 0;
    for await (const chunk of process.stdout as AsyncIterable<Buffer>) bytes += chunk.length;
    expect(bytes).toBe(64_000_000);
    expect(await process.exit).toEqual({ code: 0, signal: null });
  });

  it('names what stands in the way: name, port, silence, another protocol', async () => {
    const { who, configure, cutter } = await site();
    const to = async (target: string): Promise<void> => { const host = hostOf(who, target); undo.push(() => host.dispose()); await host.connect(withKeys()); };
    await expect(to('nobody@no-such-host.invalid')).rejects.toThrow(code('SSH_NAME_NOT_RESOLVED') as Error);
    await expect(to('nobody@127.0.0.1:1')).rejects.toThrow(code('SSH_REFUSED', { retryable: true }) as Error);
    cutter.freeze();
    configure('ConnectTimeout 1\n');
    await expect(to(`nobody@127.0.0.1:${cutter.port}`)).rejects.toThrow(code('SSH_TIMEOUT') as Error);
    const web = createServer((socket) => { socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'); });
    await new Promise<void>((resolve) => { web.listen(0, '127.0.0.1', resolve); });
    undo.push(() => { web.close(); });
    const address = web.address();
    await expect(to(`nobody@127.0.0.1:${typeof address === 'object' ? address?.port : 0}`)).rejects.toThrow(code('SSH_HANDSHAKE_FAILED') as Error);
  });

  it('goes over two jump hosts, each with its own key and login', async () => {
    const { who, sshd, configure, key } = await site();
    const first = await startSshd({ authorized: [key.publicLine] });
    undo.push(() => first.stop());
    const second = await startSshd({ authorized: [key.publicLine] });
    undo.push(() => second.stop());
    configure([`Host first`, ` HostName 127.0.0.1`, ` Port ${first.port}`, `Host second`, ` HostName 127.0.0.1`, ` Port ${second.port}`, ` ProxyJump first`, `Host inner`, ` HostName 127.0.0.1`, ` Port ${sshd.port}`, ` ProxyJump second`, 'Host *', ` User ${me}`].join('\n'));
    const host = hostOf(who, 'inner');
    undo.push(() => host.dispose());
    await expect(host.connect(withKeys())).rejects.toThrow(code('HOST_KEY_UNKNOWN', { details: expect.objectContaining({ fingerprint: first.hostKey.fingerprint, hop: 'first', hops: ['first', 'second', 'inner'] }) as unknown }) as Error);
    await expect(host.connect(withKeys(first.hostKey.fingerprint, sshd.hostKey.fingerprint))).rejects.toThrow(code('HOST_KEY_UNKNOWN', { details: expect.objectContaining({ hop: 'second' }) as unknown }) as Error);
    await host.connect(withKeys(second.hostKey.fingerprint, sshd.hostKey.fingerprint));
    expect((await host.run(['echo', 'through'])).stdout).toBe('through\n');
    await second.stop();
    await expect.poll(() => host.connection.state).toBe('reconnecting');
  });

  it('goes over a ProxyCommand with tokens, chosen by Match exec, also before a jump host, and ends it with the connection', async () => {
    const { who, sshd, configure, key } = await site();
    const relay = join(who.folder, 'relay.mjs');
    // What nc(1) does, and a file that says who runs.
    writeFileSync(relay, `import { connect } from 'node:net'; import { writeFileSync, rmSync } from 'node:fs';
      const [port, pid] = process.argv.slice(2); writeFileSync(pid, String(process.pid));
      const socket = connect(Number(port), '127.0.0.1'); process.stdin.pipe(socket).pipe(process.stdout); socket.on('close', () => process.exit(0));`);
    const pidFile = join(who.folder, 'pid of box');
    configure([`Match exec "test %n = box" originalhost box`, ` HostName hidden.invalid`, ` Port ${sshd.port}`, ` ProxyCommand ${process.execPath} ${relay} %p "${who.folder}/pid of %n" # %% %h %r`,
      'Host inner', ' HostName 127.0.0.1', ` Port ${sshd.port}`, ' ProxyJump box', 'Host *', ` User ${me}`, ` IdentityFile ${key.path}`].join('\n'));
    const host = hostOf(who, 'box');
    await host.connect(withKeys(sshd.hostKey.fingerprint));
    expect((await host.run(['echo', 'through'])).stdout).toBe('through\n');
    expect((await host.run(['sh', '-c', 'wc -c; head -c 1000000 /dev/zero'], { stdin: 'x'.repeat(3_000_000) })).stdout).toHaveLength(1_000_000 + '3000000\n'.length);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    await host.dispose();
    await expect.poll(() => { try { process.kill(pid, 0); return 'runs'; } catch { return 'gone'; } }).toBe('gone');
    const inner = hostOf(who, 'inner');
    undo.push(() => inner.dispose());
    await inner.connect(withKeys(sshd.hostKey.fingerprint));
    expect((await inner.run(['echo', 'further'])).stdout).toBe('further\n');
    process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL');
    await expect.poll(() => inner.connection.state).toBe('reconnecting');
    await expect.poll(() => inner.connection.state).toBe('connected');
  });

  it('tells how a ProxyCommand ended, and what it said', async () => {
    const { who, configure } = await site();
    const to = async (line: string): Promise<void> => { configure(line); const host = hostOf(who, 'box'); undo.push(() => host.dispose()); await host.connect(withKeys()); };
    await expect(to('ProxyCommand sh -c "echo no way to %h >&2; exit 3"')).rejects.toThrow(code('SSH_REFUSED', { message: expect.stringMatching(/code 3: no way to box/) as unknown, retryable: true }) as Error);
    await expect(to('ProxyCommand no-such-program %h')).rejects.toThrow(code('SSH_REFUSED', { message: expect.stringContaining('no-such-program') as unknown }) as Error);
    await expect(to('ProxyCommand true')).rejects.toThrow(code('SSH_REFUSED', { message: expect.stringContaining('before it carried anything') as unknown }) as Error);
    await expect(to('ProxyCommand echo SSH-nonsense')).rejects.toThrow(code('SSH_HANDSHAKE_FAILED') as Error);
    await expect(to('ConnectTimeout 1\nProxyCommand sleep 60')).rejects.toThrow(code('SSH_TIMEOUT') as Error);
  });

  it('says FORWARDING_FORBIDDEN when the server does, on the way and at the end', async () => {
    const { host, sshd, who, configure } = await connected(['AllowTcpForwarding no']);
    await expect(host.forward('127.0.0.1', 9)).rejects.toThrow(code('FORWARDING_FORBIDDEN') as Error);
    configure(`Host inner\n HostName 127.0.0.1\n Port 9\n ProxyJump ${me}@127.0.0.1:${sshd.port}\n`);
    const inner = hostOf(who, 'inner');
    undo.push(() => inner.dispose());
    await expect(inner.connect(withKeys(sshd.hostKey.fingerprint))).rejects.toThrow(code('FORWARDING_FORBIDDEN') as Error);
  });

  it('runs commands beside each other where a connection may hold one session only', async () => {
    const { host, cutter } = await connected(['MaxSessions 1']);
    const long = await host.exec(['cat']);
    const [one, two] = await Promise.all([host.run(['echo', '1']), host.run(['echo', '2'])]);
    expect([one.stdout, two.stdout]).toEqual(['1\n', '2\n']);
    expect(cutter.accepted()).toBe(3);
    long.stdin.end('still here');
    expect(await text(long.stdout)).toBe('still here');
    const none = await connected(['MaxSessions 0']).catch((error: unknown) => error);
    expect(none).toMatchObject({ code: 'SSH_SESSIONS_EXHAUSTED' });
  });

  it('fails what it carries with SSH_CONNECTION_LOST when it is cut, says when it tries again, and comes back by itself', async () => {
    const { host, cutter } = await connected();
    const seen: HostConnection[] = [];
    host.onConnection((connection) => seen.push(connection));
    const pending = host.run(['sleep', '60']);
    const outcome = expect(pending).rejects.toThrow(code('SSH_CONNECTION_LOST', { retryable: true }) as Error);
    cutter.cut();
    await outcome;
    expect(seen[0]).toMatchObject({ state: 'reconnecting', error: { code: 'SSH_CONNECTION_LOST' } });
    expect(seen[0]?.nextTryAt).toBeGreaterThan(Date.now() - 1000);
    await expect.poll(() => seen.filter(({ error }) => error !== null && error.retryable && ['SSH_HANDSHAKE_FAILED', 'SSH_REFUSED', 'SSH_CONNECTION_LOST'].includes(error.code)).length, { timeout: 10_000 }).toBeGreaterThan(2);
    cutter.mend();
    await expect.poll(() => host.connection.state, { timeout: 10_000 }).toBe('connected');
    expect((await host.run(['echo', 'back'])).stdout).toBe('back\n');
  });

  it('notices a line that has gone silent, and makes a new one', async () => {
    const { host, cutter } = await connected([], 'ServerAliveInterval 1\nServerAliveCountMax 2\n');
    cutter.freeze();
    await expect.poll(() => host.connection.state, { timeout: 8_000 }).toBe('reconnecting');
    cutter.mend();
    await expect.poll(() => host.connection.state, { timeout: 25_000 }).toBe('connected');
  });

  it('is proved at once when it comes under suspicion, instead of waiting for the next probe', async () => {
    const { who, sshd, cutter, host } = await connected();
    await host.dispose();
    const connection = new SshConnection({ name: 'test', hops: () => resolveRoute(`${me}@127.0.0.1:${cutter.port}`, null, who.environment), hostKeys: who.hostKeys, secrets: who.secrets, log: () => undefined });
    undo.push(() => connection.dispose());
    await connection.client();
    expect(await connection.prove('a test')).toBe(true);
    expect(connection.state.state).toBe('connected');
    cutter.freeze();
    const asked = Date.now();
    expect(await connection.prove('a test')).toBe(false);
    expect(Date.now() - asked).toBeLessThan(4_500);
    expect(connection.state).toMatchObject({ state: 'reconnecting', error: { code: 'SSH_CONNECTION_LOST' } });
    expect(sshd.log()).toContain('Accepted publickey');
  });

  it('is down, and not tried again and again, when only a person can help', async () => {
    const { host, cutter, sshd } = await connected();
    writeFileSync(join(sshd.folder, 'authorized_keys'), '');
    cutter.cut();
    cutter.mend();
    await expect.poll(() => host.connection, { timeout: 10_000 }).toMatchObject({ state: 'down', nextTryAt: null, error: { code: 'SSH_AUTH_FAILED' } });
    const before = cutter.accepted();
    await expect(host.run(['true'])).rejects.toThrow(code('SSH_AUTH_FAILED') as Error);
    expect(cutter.accepted()).toBe(before);
  });

  it('looks at the machine and changes nothing', async () => {
    const { host } = await connected();
    const probe = await host.probe();
    expect(probe).toMatchObject({ user: me, architecture: execFileSync('uname', ['-m'], { encoding: 'utf8' }).trim(), kernel: execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim() });
    expect(probe.memoryTotalBytes).toBeGreaterThan(100e6);
    expect(probe.diskFreeBytes).toBeGreaterThan(0);
    expect(probe.roundTripMs).toBeLessThan(1_000);
  });
});

describeUnless(whyNoSshd(), 'an upload', () => {
  const content = randomBytes(12_000_000);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const place = (who: TestPerson): { readonly local: string; readonly remote: string; readonly folder: string } => {
    const local = join(who.folder, 'local file');
    writeFileSync(local, content);
    const folder = join(who.folder, "it's there");
    mkdirSync(folder);
    return { local, folder, remote: join(folder, 'agent $1') };
  };

  it('arrives whole, with its mode, leaving nothing beside it, and is not sent twice', async () => {
    const { host, who } = await connected();
    const { local, remote, folder } = place(who);
    const progress: number[] = [];
    expect(await host.upload(local, remote, { sha256, bytes: content.length, mode: 0o755, onProgress: (bytes) => progress.push(bytes) })).toEqual({ resumedFrom: 0, sent: true });
    expect(readFileSync(remote).equals(content)).toBe(true);
    expect(statSync(remote).mode & 0o777).toBe(0o755);
    expect(readdirSync(folder)).toEqual(['agent $1']);
    expect(progress.at(-1)).toBe(content.length);
    expect(await host.upload(local, remote, { sha256, bytes: content.length, mode: 0o755 })).toMatchObject({ sent: false });
  });

  it('goes on behind what had arrived when the line breaks in its middle', async () => {
    const { host, who, cutter } = await connected();
    const { local, remote, folder } = place(who);
    cutter.cutAfter(7_000_000);
    const mending = setInterval(() => cutter.mend(), 700);
    undo.push(() => clearInterval(mending));
    const seen: number[] = [];
    await host.upload(local, remote, { sha256, bytes: content.length, mode: 0o644, onProgress: (bytes) => seen.push(bytes) });
    expect(readFileSync(remote).equals(content)).toBe(true);
    expect(readdirSync(folder)).toEqual(['agent $1']);
    expect(cutter.accepted()).toBeGreaterThan(1);
    // What the second connection carried began in the middle.
    const restarts = seen.filter((bytes, index) => index > 0 && bytes > 0 && bytes < (seen[index - 1] ?? 0));
    expect(restarts.every((bytes) => bytes > 1_000_000)).toBe(true);
  });

  it('that was left by an earlier Vessel is resumed, and a damaged rest is thrown away', async () => {
    const { host, who } = await connected();
    const { local, remote } = place(who);
    const part = `${remote}.vessel-${sha256.slice(0, 16)}.part`;
    writeFileSync(part, content.subarray(0, 5_000_000));
    expect(await host.upload(local, remote, { sha256, bytes: content.length, mode: 0o644 })).toEqual({ resumedFrom: 5_000_000, sent: true });
    rmSync(remote);
    writeFileSync(part, Buffer.alloc(3_000_000, 'x'));
    await host.upload(local, remote, { sha256, bytes: content.length, mode: 0o644 });
    expect(readFileSync(remote).equals(content)).toBe(true);
    await expect(host.upload(local, join(who.folder, 'x'), { sha256: 'ab'.repeat(32), bytes: content.length, mode: 0o644 })).rejects.toThrow(code('ARCHIVE_CORRUPT') as Error);
  });

  it('says DISK_FULL when the disk of the host is', async (context) => {
    if (!isRoot) return context.skip('needs root to mount a small file system');
    const { host, who } = await connected();
    const { local, folder } = place(who);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder]);
    undo.push(() => { execFileSync('umount', ['--lazy', folder]); });
    await expect(host.upload(local, join(folder, 'f'), { sha256, bytes: content.length, mode: 0o644 })).rejects.toThrow(code('DISK_FULL') as Error);
    await expect(host.upload(local, '/proc/nowhere/f', { sha256, bytes: content.length, mode: 0o644 })).rejects.toThrow(code('EXEC_FAILED') as Error);
  });
});
