import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FirecrackerApi } from './api-client.ts';
import { jailOf, jailerArguments } from './jail.ts';
import { bootArguments, bootRequests, canSetClock, createSnapshot, loadRequest, paused, resumed } from './requests.ts';
import { dialVsock } from './vsock.ts';

const DOUBLE = fileURLToPath(new URL('./double/firecracker.ts', import.meta.url));

describe('what firecracker is told', () => {
  it('boots with a reboot that ends the process, and names the drives in their order', () => {
    expect(bootArguments('console=ttyS0 reboot=t panic=-1 quiet')).toBe('console=ttyS0 quiet reboot=k panic=1 vessel-root=vda vessel-data=vdb vessel-token=vdc vessel-vsock=9999');
    const paths = bootRequests({ tier: 'small', commandLine: 'quiet' }).map(({ path }) => path);
    expect(paths.filter((path) => path.startsWith('/drives/'))).toEqual(['/drives/root', '/drives/data', '/drives/token']);
    expect(paths.at(-1)).toBe('/actions');
  });
  it('sets the clock of a restored guest only where the host\'s kernel can', () => {
    expect([canSetClock('5.15.0-122-generic'), canSetClock('5.16.1'), canSetClock('6.1.0-56-cloud-amd64')]).toEqual([false, true, true]);
    expect(loadRequest(false).body).not.toHaveProperty('clock_realtime');
  });
  it('is jailed by an unprivileged user in a namespace of its own', () => {
    const programs = { firecracker: '/opt/firecracker', jailer: '/opt/jailer' };
    const jail = jailOf('/var/lib/vessel/host/vms/shop', programs);
    expect(jail.root).toBe(`/var/lib/vessel/host/vms/shop/jail/firecracker/${jail.id}/root`);
    expect(jailerArguments(jail, programs, { user: { name: 'vessel', uid: 999, gid: 108 }, namespacePath: '/var/run/netns/n', cgroupVersion: 2 }).join(' ')).toBe(
      `/opt/jailer --id ${jail.id} --exec-file /opt/firecracker --uid 999 --gid 108 --chroot-base-dir /var/lib/vessel/host/vms/shop/jail --netns /var/run/netns/n --cgroup-version 2 --parent-cgroup vessel --cgroup pids.max=64 -- --api-sock /api.sock`,
    );
  });
});

describe('firecracker\'s double keeps the order and the form that its specification asks for', () => {
  let folder = '';
  let child: ChildProcess;
  let api: FirecrackerApi;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'vessel-fc-'));
    child = spawn(process.execPath, [DOUBLE, '--id', 'x', '--api-sock', '/api.sock'], { stdio: 'ignore', env: { ...process.env, FIRECRACKER_DOUBLE_ROOT: folder } });
    await expect.poll(() => existsSync(join(folder, 'api.sock')), { timeout: 10_000 }).toBe(true);
    api = new FirecrackerApi(join(folder, 'api.sock'), new AbortController().signal);
  });
  afterEach(() => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  const refused = async (work: Promise<void>): Promise<string> => work.then(() => 'accepted', (error: unknown) => (error as Error).message);

  it('refuses what comes too early, too late, or with a field it does not know', async () => {
    expect(await refused(api.put('/actions', { action_type: 'InstanceStart' }))).toMatch(/without kernel configuration/);
    expect(await refused(api.patch('/vm', paused))).toMatch(/not supported before starting/);
    expect(await refused(api.patch('/vm', resumed))).toMatch(/not supported before starting/);
    expect(await refused(api.put(createSnapshot.path, createSnapshot.body))).toMatch(/not supported before starting/);
    expect(await refused(api.put('/machine-config', { vcpu_count: 1, mem_size_mib: 128, memory: 1 }))).toMatch(/deserializing.*Unrecognized key/);
    expect(await refused(api.put('/machine-config', { vcpu_count: 33, mem_size_mib: 128 }))).toMatch(/deserializing/);
    expect(await refused(api.put('/nothing', {}))).toMatch(/Invalid request method/);
    expect(await refused(api.put('/machine-config', { vcpu_count: 2, mem_size_mib: 1024 }))).toBe('accepted');
    expect(await refused(api.put('/snapshot/load', loadRequest(true).body))).toMatch(/not allowed after configuring/);
  });
  it('looks at files and devices when they are named', async () => {
    writeFileSync(join(folder, 'vmlinux'), 'a compressed kernel');
    writeFileSync(join(folder, 'odd.img'), 'x');
    expect(await refused(api.put('/boot-source', { kernel_image_path: '/vmlinux' }))).toMatch(/Invalid Elf magic/);
    expect(await refused(api.put('/boot-source', { kernel_image_path: '/absent' }))).toMatch(/No such file/);
    expect(await refused(api.put('/drives/root', { drive_id: 'other', path_on_host: '/odd.img', is_root_device: false }))).toMatch(/does not match/);
    expect(await refused(api.put('/drives/root', { drive_id: 'root', path_on_host: '/odd.img', is_root_device: false }))).toMatch(/sectors/);
    expect(await refused(api.put('/network-interfaces/eth0', { iface_id: 'eth0', host_dev_name: 'no-such-tap' }))).toMatch(/Open tap device failed/);
  });
  it('is VM_DIED when it is gone', async () => {
    child.kill('SIGKILL');
    await expect.poll(() => refused(api.patch('/vm', paused))).toMatch(/does not answer/);
  });
});

describe('a vsock connection from the host', () => {
  let folder = '';
  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vessel-vsock-')); });
  afterEach(() => { rmSync(folder, { recursive: true, force: true }); });
  async function answering(answer: string | null): Promise<string> {
    const path = join(folder, 'v.sock');
    const server = createServer((socket) => {
      socket.once('data', (line) => (answer === null || String(line) !== 'CONNECT 9999\n' ? socket.destroy() : socket.write(answer)));
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => { server.listen(path, resolve); });
    try {
      const socket = await dialVsock(path, 9999);
      const [first] = await new Promise<Buffer[]>((resolve) => { socket.once('data', (data: Buffer) => resolve([data])); });
      socket.destroy();
      return String(first);
    } finally {
      server.close();
    }
  }
  it('is refused when nobody listens inside, or at all', async () => {
    await expect(answering(null)).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE' });
    await expect(answering('FAIL\n')).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE' });
    await expect(dialVsock(join(folder, 'absent'), 9999)).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE' });
  });
  it('loses nothing of what follows the handshake', async () => expect(await answering('OK 1073741824\nHTTP/1.1 200')).toBe('HTTP/1.1 200'));
});
