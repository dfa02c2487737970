import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../../build/testing/describe-unless.ts';
import type { StartResult, Vm } from '#shared/host-protocol.ts';
import { GUEST_API_PREFIX } from '#shared/guest-protocol.ts';
import { execInGuest } from '../guest/exec.test-helper.ts';
import { GUEST_MTU } from '../network/guest-network.ts';
import { cannotRunMachines, quietContext, realHost } from '../real-host.test-helper.ts';
import type { RealHost } from '../real-host.test-helper.ts';
import { runChecked } from '../system/run-command.ts';

const COUNT = 10;
const why = cannotRunMachines();

describeUnless(why, 'clones of one template', () => {
  let real: RealHost;
  const started: StartResult[] = [];
  const vm = (index: number): Vm => started[index]?.vm as Vm;
  const sh = async (index: number, script: string): Promise<string> => (await execInGuest(vm(index), ['sh', '-c', script])).stdout.trim();
  /** What curl says, from inside: the HTTP status, or `000` when nothing could be reached. */
  const curl = (url: string): Promise<string> => sh(0, `curl -s -m 5 -o /dev/null -w '%{http_code}' '${url}'`);

  beforeAll(async () => {
    real = await realHost();
    await real.host.provision({ dryRun: false, tiers: ['medium'] }, quietContext());
    for (let index = 0; index < COUNT; index += 1) {
      started.push(await real.host.start({ id: `clone-${index}`, tier: 'medium', mode: 'clone', timezone: 'Asia/Tokyo', env: { COLOUR: `c${index}` }, deadlineMs: 120_000 }, quietContext()));
    }
  }, 20 * 60_000);
  afterAll(() => real.dispose());

  it('are all alive at once, as an unprivileged user, each for a fraction of its memory', async () => {
    const facts = await real.host.facts({}, quietContext());
    expect(facts.capacity.running).toBe(COUNT);
    expect(facts.capacity.perEnvironmentBytes).toBeLessThan(200 * 1024 * 1024);
    for (const { vm: one, timings } of started) {
      expect(one).toMatchObject({ state: 'running', startKind: 'clone' });
      expect(timings.map(({ stage }) => stage)).toEqual(['record', 'disk', 'network', 'hypervisor', 'restore', 'resume', 'identity', 'ready', 'route']);
      expect(/^Uid:\s+(\d+)/m.exec(await readFile(`/proc/${one.pid}/status`, 'utf8'))?.[1]).not.toBe('0');
    }
  });

  it('have nothing secret on their command lines', async () => {
    for (const { vm: one } of started) expect(await readFile(`/proc/${one.pid}/cmdline`, 'utf8')).not.toContain(one.token ?? 'x');
  });

  it('differ in all that must be unique, and tell the right time', async () => {
    const told = await Promise.all(started.map((_, index) => sh(index, 'hostname; cat /etc/machine-id; head -c 16 /dev/urandom | od -An -tx1; cat /proc/sys/kernel/random/uuid')));
    const columns = told.map((text) => text.split('\n'));
    for (let column = 0; column < 4; column += 1) expect(new Set(columns.map((lines) => lines[column])).size).toBe(COUNT);
    expect(columns.map(([name]) => name)).toEqual(started.map(({ vm: one }) => one.id));
    expect(new Set(started.map(({ vm: one }) => one.token)).size).toBe(COUNT);
    expect(Math.abs(Number(await sh(3, 'date +%s')) - Date.now() / 1000)).toBeLessThan(15);
    expect(await sh(3, 'date +%Z; echo $COLOUR')).toBe('JST\nc3');
  });

  it('take in 30 MB without the forwarder having to send anything twice', async () => {
    const { address, token } = vm(2);
    const answer = await fetch(`http://${address?.host}:${address?.port}${GUEST_API_PREFIX}/files?path=upload.bin`, {
      method: 'PUT', headers: { authorization: `Bearer ${token}` }, body: new Uint8Array(30_000_000),
    });
    expect(answer.ok).toBe(true);
    expect(await sh(2, 'cat /sys/class/net/eth0/mtu')).toBe(String(GUEST_MTU));
    // Rows of names and of numbers, alternating: proc_pid_net(5).
    const [names = [], numbers = []] = (await sh(2, 'grep ^TcpExt: /proc/net/netstat')).split('\n').map((line) => line.split(' '));
    // Segments that came out of their order are the ones after a loss.
    expect(Number(numbers[names.indexOf('TCPOFOQueue')])).toBe(0);
  });

  it('do not let one guest\'s token open another', async () => {
    await expect(execInGuest({ address: vm(0).address, token: vm(1).token }, ['true'])).rejects.toThrow(/401/);
  });

  it('cannot reach the host\'s loopback, its own addresses, other guests or cloud metadata', async () => {
    // A server of the host on all its addresses: a guest that reached any of them would get an answer.
    const server = createServer((socket) => socket.end('HTTP/1.0 204 reached\r\n\r\n'));
    await new Promise<void>((resolve) => { server.listen(0, '0.0.0.0', resolve); });
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const own = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []).filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address: one }) => one);
    try {
      const targets = ['172.31.0.1', '172.31.0.3', '127.0.0.1', '10.0.2.2', ...own].map((one) => `http://${one}:${port}/`);
      const others = ['172.31.0.1', ...own].map((one) => `http://${one}:${vm(1).address?.port ?? 0}/`);
      const answers = await Promise.all([...targets, ...others, 'http://169.254.169.254/'].map(async (url) => `${url} ${await curl(url)}`));
      expect(answers.filter((line) => !line.endsWith(' 000'))).toEqual([]);
    } finally {
      server.close();
    }
  });

  it('reach the internet, by name', async () => {
    const { stdout } = await runChecked(['npm', 'config', 'get', 'registry'], { deadlineMs: 30_000 });
    expect(await curl(stdout.trim())).toBe('200');
  });

  it('have their routes written, and removed with all the rest', async () => {
    expect((await readdir(real.paths.traefik)).sort()).toEqual(started.map(({ vm: one }) => `${one.id}.yml`).sort());
    for (const { vm: one } of started) expect(await real.host.stop({ id: one.id }, quietContext())).toEqual({ status: 'success', existed: true });
    expect(await real.host.stop({ id: 'clone-0' }, quietContext())).toEqual({ status: 'success', existed: false });
    expect(await readdir(real.paths.traefik)).toEqual([]);
    expect(await readdir(real.paths.vms)).toEqual([]);
    for (const { vm: one } of started) expect(existsSync(`/proc/${one.pid}/exe`)).toBe(false);
  });
});
