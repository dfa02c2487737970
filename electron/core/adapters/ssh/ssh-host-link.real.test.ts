import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../../../../build/testing/describe-unless.ts';
import { hostLinkContract } from '../local-host/host-link.contract.ts';
import { SshHostLink } from './ssh-host-link.ts';
import type { SshHost } from './ssh-host.ts';
import { hostOf, person, withKeys, type TestPerson } from './testing/client.ts';
import { makeKey, me, startCutter, startSshd, whyNoSshd, type Cutter, type KeyPair, type Sshd } from './testing/sshd.ts';

const AGENT = fileURLToPath(new URL('../local-host/fake-agent.fixture.mjs', import.meta.url));
const why = whyNoSshd();

describeUnless(why, 'a host over a real sshd', () => {
  let who: TestPerson;
  let key: KeyPair;
  let sshd: Sshd;
  let cutter: Cutter;
  let host: SshHost;
  const pids = new WeakMap<object, number>();

  beforeAll(async () => {
    who = person();
    key = makeKey(who.folder, 'key');
    sshd = await startSshd({ authorized: [key.publicLine] });
    cutter = await startCutter(sshd.port);
    host = hostOf(who, `${me}@127.0.0.1:${cutter.port}`, key.path);
    await host.connect(withKeys(sshd.hostKey.fingerprint));
  });
  afterAll(async () => {
    await host.dispose();
    await cutter.close();
    await sshd.stop();
    rmSync(who.folder, { recursive: true, force: true });
  });

  const make = (): SshHostLink => {
    const link = new SshHostLink({ host, agentCommand: () => Promise.resolve({ argv: ['/usr/bin/env', 'VESSEL_HOME=/some/home', process.execPath, AGENT], preamble: '' }), log: () => undefined });
    const request = link.request.bind(link);
    link.request = (async (...args: Parameters<typeof request>) => {
      const result = await request(...args);
      if (args[0] === 'hello') pids.set(link, (result as { pid: number }).pid);
      return result;
    }) as typeof link.request;
    return link;
  };

  hostLinkContract('an agent behind sshd', { make, killAgent: (link) => { const pid = pids.get(link); if (pid !== undefined) process.kill(pid, 'SIGKILL'); } });

  it('fails what is under way with SSH_CONNECTION_LOST when the line breaks, and goes on with the next connection', async () => {
    const link = make();
    const unsubscribe = link.onVm(() => undefined);
    const first = await link.request('hello', { client: 'test' });
    const pending = link.request('inspect', { id: 'silent' });
    const outcome = expect(pending).rejects.toThrow(expect.objectContaining({ code: 'SSH_CONNECTION_LOST', retryable: true }));
    cutter.cut();
    await outcome;
    expect(host.connection.state).toBe('reconnecting');
    expect(host.connection.nextTryAt).toBeGreaterThan(0);
    cutter.mend();
    await expect.poll(() => host.connection.state, { timeout: 10_000 }).toBe('connected');
    expect((await link.request('hello', { client: 'test' })).pid).not.toBe(first.pid);
    unsubscribe();
    await link.dispose();
  });

  it('lets its agent go when asked, also one that is still being started, and starts another for the next request', async () => {
    const link = make();
    const first = await link.request('hello', { client: 'test' });
    await link.release();
    expect((await link.request('hello', { client: 'test' })).pid).not.toBe(first.pid);
    await link.dispose();
    // Whoever finds out the command may itself wait for the release.
    const waiting = new SshHostLink({ host, agentCommand: () => new Promise(() => undefined), log: () => undefined });
    const pending = waiting.request('hello', { client: 'test' });
    const outcome = expect(pending).rejects.toThrow(expect.objectContaining({ code: 'INTERRUPTED' }));
    await waiting.dispose();
    await outcome;
  });

  it('passes on why an agent cannot be started at all', async () => {
    const link = new SshHostLink({ host, agentCommand: () => Promise.resolve({ argv: ['/nonexistent/agent'], preamble: '' }), log: () => undefined });
    await expect(link.request('list', {})).rejects.toThrow(expect.objectContaining({ code: 'AGENT_LOST', details: { code: 127, signal: null } }));
    await link.dispose();
  });
});
