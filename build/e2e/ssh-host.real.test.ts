import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../testing/describe-unless.ts';
import { makeKey, me, startSshd, whyNoSshd, type Sshd } from '../../electron/core/adapters/ssh/testing/sshd.ts';

const CLI = fileURLToPath(new URL('../../electron/cli/main.ts', import.meta.url));
type Answer = { readonly error: { readonly code: string; readonly details: Readonly<Record<string, unknown>> }; readonly hosts: readonly { readonly id: string; readonly connection?: { readonly state: string } }[] };
type Ran = { readonly code: number; readonly json: Answer };

describeUnless(whyNoSshd(), 'a host over SSH from the command line, through a real server and a real sshd', () => {
  let folder = '';
  let sshd: Sshd;
  let port = 0;
  const vessel = (...argv: string[]): Promise<Ran> => new Promise((resolve) => {
    const env = { ...process.env, HOME: join(folder, 'home'), VESSEL_HOME: join(folder, 'v'), VESSEL_CACHE: join(folder, 'c'), SSH_AUTH_SOCK: '' };
    execFile(process.execPath, [CLI, ...argv, '--json'], { env, encoding: 'utf8' }, (error, stdout) => resolve({ code: error === null ? 0 : Number(error.code), json: JSON.parse(stdout) as Answer }));
  });
  const target = (): string => `${me}@127.0.0.1:${sshd.port}`;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'vessel-ssh-'));
    mkdirSync(join(folder, 'home', '.ssh'), { recursive: true, mode: 0o700 });
    const key = makeKey(join(folder, 'home', '.ssh'), 'id_ed25519');
    sshd = await startSshd({ authorized: [key.publicLine] });
    port = await new Promise((resolve) => { const server = createServer().listen(0, '127.0.0.1', () => { const address = server.address(); server.close(() => resolve(typeof address === 'object' ? address?.port ?? 0 : 0)); }); });
    expect((await vessel('serve', '--port', String(port))).code).toBe(0);
  });
  afterAll(async () => {
    await vessel('quit', '--force');
    await sshd.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is refused with the fingerprint seen, added with exactly that one, and shown', async () => {
    const { code, json } = await vessel('host', 'add', target());
    expect([code, json.error.code, json.error.details.fingerprint]).toEqual([5, 'HOST_KEY_UNKNOWN', sshd.hostKey.fingerprint]);
    expect((await vessel('host', 'add', target(), '--accept-host-key', 'SHA256:wrong')).json.error.code).toBe('HOST_KEY_UNKNOWN');
    expect((await vessel('host', 'add', target(), '--name', 'Build box', '--accept-host-key', sshd.hostKey.fingerprint)).json).toMatchObject({ id: 'build-box', status: 'not-provisioned', probe: { user: me }, connection: { state: 'connected' } });
    expect((await vessel('host', 'facts', 'build-box')).json).toMatchObject({ id: 'build-box', probe: { hostname: expect.any(String) } });
    expect(statSync(join(folder, 'v', 'ssh', 'known_hosts')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, 'v', 'logs', 'server.log'), 'utf8')).not.toContain('BEGIN');
    expect((await vessel('open', 'nothing')).code).toBe(3);
  });

  it('is there after a restart, connects without a word, and fails by name once its key changes', async () => {
    await vessel('quit', '--force');
    expect((await vessel('serve', '--port', String(port))).code).toBe(0);
    expect((await vessel('host', 'list')).json.hosts.map(({ id, connection }) => [id, connection?.state])).toEqual([['build-box', 'idle'], ['local', undefined]]);
    expect((await vessel('host', 'connect', 'build-box')).json).toMatchObject({ connection: { state: 'connected' } });
    const other = makeKey(folder, 'other');
    writeFileSync(join(sshd.folder, 'host_key'), readFileSync(other.path), { mode: 0o600 });
    await sshd.restart();
    await expect.poll(async () => (await vessel('host', 'facts', 'build-box')).json.error?.code, { timeout: 30_000, interval: 500 }).toBe('HOST_KEY_CHANGED');
    expect((await vessel('host', 'connect', 'build-box', '--accept-host-key', other.fingerprint)).json.error).toMatchObject({ code: 'HOST_KEY_CHANGED', details: { file: join(folder, 'v', 'ssh', 'known_hosts'), line: 1 } });
  });

  it('is forgotten with its key, and can be added anew', async () => {
    expect((await vessel('host', 'remove', 'build-box')).json).toEqual({ removed: 'build-box' });
    expect(readFileSync(join(folder, 'v', 'ssh', 'known_hosts'), 'utf8')).toBe('');
    expect((await vessel('host', 'add', target())).json.error.code).toBe('HOST_KEY_UNKNOWN');
    expect((await vessel('host', 'list')).json.hosts).toHaveLength(1);
  });
});
