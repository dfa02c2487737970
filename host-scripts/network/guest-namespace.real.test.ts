import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GUEST_AGENT_PORT } from '#shared/guest-protocol.ts';
import { describeUnless } from '../../build/testing/describe-unless.ts';
import { cannotRunMachines } from '../real-host.test-helper.ts';
import { ensureHostRules, makeNamespace, removeHostRules, removeNamespace } from './guest-namespace.ts';
import type { GuestNamespace } from './guest-namespace.ts';

const why = cannotRunMachines();
const FOLDERS = [`/vessel-test/${process.pid}/one`, `/vessel-test/${process.pid}/two`] as const;

describeUnless(why, 'the network namespaces of guests with taps', () => {
  const namespaces: GuestNamespace[] = [];
  const agents: ChildProcess[] = [];
  const server = createServer((_request, response) => response.end('host'));
  beforeAll(async () => {
    await ensureHostRules();
    await new Promise<void>((resolve) => { server.listen(0, '0.0.0.0', resolve); });
    for (const folder of FOLDERS) {
      const namespace = await makeNamespace(folder, { name: 'vessel', uid: 65_534, gid: 65_534 }, GUEST_AGENT_PORT);
      namespaces.push(namespace);
      // In the guest's place: its address, within the namespace.
      await promisify(execFile)('ip', ['-n', namespace.name, 'addr', 'add', '172.31.0.2/32', 'dev', 'lo']);
      agents.push(spawn('ip', ['netns', 'exec', namespace.name, process.execPath, '-e', `require("http").createServer((q, r) => r.end("agent")).listen(${GUEST_AGENT_PORT}, "172.31.0.2")`], { stdio: 'ignore' }));
    }
  });
  afterAll(async () => {
    for (const agent of agents) agent.kill('SIGKILL');
    server.close();
    for (const folder of FOLDERS) await removeNamespace(folder);
    await removeNamespace(FOLDERS[0]);
    await removeHostRules();
  });
  const of = (index: number): GuestNamespace => namespaces[index] as GuestNamespace;
  /** What a guest gets from an address: the HTTP status, or `000`. */
  const curl = async (url: string): Promise<string> => (await promisify(execFile)('ip', ['netns', 'exec', of(0).name, 'curl', '-s', '-m', '2', '-o', '/dev/null', '-w', '%{http_code}', url]).catch((error: unknown) => error as { readonly stdout: string })).stdout;

  it('have the same inner address in all, and one of their own where the host reaches the agent', async () => {
    expect(of(0).host).not.toBe(of(1).host);
    for (const { host, port } of namespaces) await expect.poll(() => fetch(`http://${host}:${port}/`).then((answer) => answer.text(), () => ''), { timeout: 10_000 }).toBe('agent');
  });
  it('reach neither the host, nor each other, nor the cloud\'s metadata', async () => {
    const { port } = server.address() as AddressInfo;
    const own = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []).filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => `http://${address}:${port}/`);
    expect(own.length).toBeGreaterThan(0);
    const answers = await Promise.all([...own, `http://${of(1).host}:3000/`, 'http://169.254.169.254/'].map(async (url) => `${url} ${await curl(url)}`));
    expect(answers.filter((line) => !line.endsWith(' 000'))).toEqual([]);
  });
  it('reach what is beyond', async () => {
    const { stdout } = await promisify(execFile)('npm', ['config', 'get', 'registry']);
    expect(await curl(stdout.trim())).toBe('200');
  });
});
