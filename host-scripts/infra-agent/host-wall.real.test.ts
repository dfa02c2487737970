import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../../build/testing/describe-unless.ts';
import type { Vm } from '#shared/host-protocol.ts';
import { CONTROL_SOCKET } from '../drivers/qemu/connect-qmp.ts';
import { DESCRIPTOR } from '../drivers/qemu/machine-arguments.ts';
import { VM_FILES } from '../drivers/qemu/start-machine.ts';
import { execInGuest } from '../guest/exec.test-helper.ts';
import { cannotRunMachines, quietContext, realHost } from '../real-host.test-helper.ts';
import type { RealHost } from '../real-host.test-helper.ts';
import { RecordStore } from '../records/record-store.ts';
import type { VmRecord } from '../records/vm-record.ts';
import { MACHINE_UIDS } from '../system/machine-user.ts';
import { TEMPLATE_FILES } from '../templates/template-store.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
/** Small enough for a guest to fill in seconds; an eighth of it is the reserve. */
const DISK_MIB = 640;
const WRITE_ACCESS = 0o3;
const why = cannotRunMachines();

describeUnless(why, 'what a machine can do to its host and its neighbours', () => {
  let real: RealHost;
  let home = '';
  const vms = new Map<string, Vm>();
  const vm = (id: string): Vm => vms.get(id) as Vm;
  const recordOf = async (id: string): Promise<VmRecord> => (await new RecordStore(real.paths.vms).read(id))?.record as VmRecord;
  const start = async (id: string): Promise<void> => { vms.set(id, (await real.host.start({ id, tier: 'medium', mode: 'clone', timezone: 'UTC', env: {}, deadlineMs: 120_000 }, quietContext())).vm); };
  const uidOf = (pid: number): number => Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  const openFiles = (pid: number): readonly { readonly number: number; readonly target: string; readonly flags: number }[] => readdirSync(`/proc/${pid}/fd`).map((name) => ({
    number: Number(name), target: readlinkSync(`/proc/${pid}/fd/${name}`), flags: Number.parseInt(/^flags:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${name}`, 'utf8'))?.[1] ?? '0', 8),
  }));
  /** What a hypervisor that was taken over could run: its own user and nothing more. */
  const asMachine = (uid: number, script: string): string => spawnSync('sh', ['-c', `${script} && echo reached`], { uid, gid: uid, encoding: 'utf8', cwd: '/' }).stdout.trim();

  beforeAll(async () => {
    real = await realHost({ onDiskOf: DISK_MIB });
    home = real.home;
    await real.host.provision({ dryRun: false, tiers: ['medium'] }, quietContext());
    // From a shell that holds a file open, as a terminal or a service manager may.
    const { status, stdout, stderr } = spawnSync('bash', ['-c', 'exec 40</etc/hostname; exec "$0" "$@"', process.execPath, MAIN, 'start', 'wall-one', '--mode', 'clone', '--home', home, '--cache', real.cache], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${stdout}${stderr}`);
    vms.set('wall-one', await real.host.inspect({ id: 'wall-one' }, quietContext()));
    await start('wall-two');
  }, 20 * 60_000);
  afterAll(() => real.dispose());

  it('runs it and its forwarder as a user that no other machine has, and nobody else', async () => {
    const [one, two] = [await recordOf('wall-one'), await recordOf('wall-two')];
    for (const { uid, processes } of [one, two]) {
      expect(uid).toBeGreaterThanOrEqual(MACHINE_UIDS.first);
      expect(processes.map(({ pid }) => uidOf(pid))).toEqual([uid, uid]);
    }
    expect(one.uid).not.toBe(two.uid);
    expect(readFileSync('/etc/passwd', 'utf8')).not.toContain(String(one.uid));
  });

  it('lets neither of them inherit what the shell had open', async () => {
    const { processes } = await recordOf('wall-one');
    const targets = processes.flatMap(({ pid }) => openFiles(pid).map(({ target }) => target));
    expect(targets).not.toContain('/etc/hostname');
    // Its own files and the cache's, its log and devices, sockets and what the kernel made for it.
    const meant = [/^(?:socket|pipe):/, /^anon_inode:/, /^\/dev\/(?:null|net\/tun|kvm|urandom)$/, /^\/memfd:/];
    expect(targets.filter((target) => !meant.some((pattern) => pattern.test(target)) && ![real.home, real.cache, real.paths.run].some((folder) => target.startsWith(`${folder}/`)))).toEqual([]);
  });

  it('gives it the template to read only, and of its own files nothing by path', async () => {
    const { uid, processes, templateKey } = await recordOf('wall-one');
    const pid = processes.find(({ role }) => role === 'hypervisor')?.pid ?? 0;
    const memory = join(real.paths.templates, templateKey ?? '', TEMPLATE_FILES.memory);
    const files = openFiles(pid);
    expect(files.find(({ number }) => number === DESCRIPTOR.memory)?.target).toBe(memory);
    const writable = files.filter(({ target, flags }) => target.startsWith('/') && !target.startsWith('/dev/') && (flags & WRITE_ACCESS) !== 0).map(({ target }) => target);
    expect([...new Set(writable)].sort()).toEqual([VM_FILES.console, VM_FILES.disk, VM_FILES.hypervisor].map((name) => join(real.paths.vms, 'wall-one', name)).sort());
    expect(asMachine(uid ?? 0, `: <>${memory}`)).toBe('');
    expect(asMachine(uid ?? 0, `cat ${memory} >/dev/null`)).toBe('');
    expect(asMachine(uid ?? 0, `ls ${join(real.paths.vms, 'wall-one')}`)).toBe('');
  });

  it('leaves it no way to its neighbour: no memory, no disk, no control channel, no signal', async () => {
    const { uid, socketDir } = await recordOf('wall-one');
    const { socketDir: other, processes } = await recordOf('wall-two');
    const pid = processes.find(({ role }) => role === 'hypervisor')?.pid ?? 0;
    const attacks = [
      `ls ${other}`, `cat ${join(real.paths.vms, 'wall-two', VM_FILES.disk)} >/dev/null`, `cat ${join(real.paths.vms, 'wall-two', 'vm.json')}`, `kill -0 ${pid}`,
      `head -c 1 /proc/${pid}/mem`, `ls /proc/${pid}/fd`, `: <>/proc/${pid}/fd/${DESCRIPTOR.memory}`, `cat /proc/${pid}/environ`,
      `${process.execPath} -e 'require("net").connect("${join(other ?? '', CONTROL_SOCKET)}").on("connect", () => process.exit(0)).on("error", () => process.exit(1))'`,
    ];
    expect(attacks.filter((attack) => asMachine(uid ?? 0, attack) !== '')).toEqual([]);
    // The same does work on what is its own: the attacks above fail for the right reason.
    expect(asMachine(uid ?? 0, `ls ${socketDir}`)).toContain('reached');
  });

  it('is held still when it fills the disk, while its neighbour works and is saved, and goes on when there is space', async () => {
    const began = execInGuest(vm('wall-one'), ['sh', '-c', 'dd if=/dev/zero of=/home/workspace/big bs=1M count=300 oflag=dsync 2>/dev/null; stat -c %s /home/workspace/big; rm /home/workspace/big']);
    began.catch(() => undefined);
    const problem = async (id: string): Promise<string | null> => (await real.host.watchVms()).find((one) => one.id === id)?.problem ?? null;
    // Space that another program takes, so that little is left for the guest, which writes piece by piece to the disk.
    const ballast = join(home, 'ballast');
    execFileSync('fallocate', ['-l', `${Math.floor(DISK_MIB * 0.55)}M`, ballast]);
    await expect.poll(() => problem('wall-one'), { timeout: 120_000, interval: 200 }).toContain('disk is full');
    expect(await problem('wall-two')).toBeNull();
    expect((await execInGuest(vm('wall-two'), ['sh', '-c', 'echo saved >/home/workspace/note; cat /home/workspace/note'])).stdout).toBe('saved\n');
    const free = Number(execFileSync('stat', ['-f', '-c', '%a', home]).toString());
    expect(free).toBeGreaterThan(0);
    await expect(real.host.start({ id: 'wall-three', tier: 'medium', mode: 'clone', timezone: 'UTC', env: {}, deadlineMs: 60_000 }, quietContext())).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect((await real.host.doctor({}, quietContext())).checks.find(({ stage }) => stage === 'Free disk')).toMatchObject({ state: 'fail', fix: expect.stringContaining(home) as string });
    rmSync(ballast);
    await expect.poll(() => problem('wall-one'), { timeout: 60_000, interval: 200 }).toBeNull();
    expect((await began).stdout.trim()).toBe(String(300 * 1024 * 1024));
  }, 5 * 60_000);

  it('can be discarded on a disk without a free byte, and its user is given back', async () => {
    const { uid, socketDir } = await recordOf('wall-one');
    const chunk = Buffer.alloc(1024 * 1024);
    for (let size = chunk.byteLength; size >= 512; size /= 2) {
      try {
        for (;;) writeFileSync(join(home, 'ballast'), chunk.subarray(0, size), { flag: 'a' });
      } catch {
        // Now for smaller pieces.
      }
    }
    expect(execFileSync('stat', ['-f', '-c', '%a', home]).toString().trim()).toBe('0');
    expect(await real.host.stop({ id: 'wall-one' }, quietContext())).toMatchObject({ status: 'success', existed: true });
    expect((await real.host.list({}, quietContext())).vms.map(({ id }) => id)).toEqual(['wall-two']);
    rmSync(join(home, 'ballast'));
    const claims = await Promise.all(readdirSync(join(dirname(socketDir ?? ''), 'uids')).map((name) => Promise.resolve(name)));
    expect(claims).not.toContain(String(uid));
    expect((await readFile('/proc/self/mounts', 'utf8'))).toContain(home);
  });
});
