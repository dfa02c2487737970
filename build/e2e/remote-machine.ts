import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeKey, type KeyPair } from '../../electron/core/adapters/ssh/testing/sshd.ts';
import { machineTree } from './remote-machine-tree.ts';

export type MachineOptions = {
  /** Who logs in with the key. `password`: sudo asks for {@link RemoteMachine.password}; `none`: this user may not use sudo. Default: root. */
  readonly login?: 'root' | 'passwordless' | 'password' | 'none';
  readonly hostname?: string;
  /** Lines of sshd_config that win over the usual ones. */
  readonly sshd?: readonly string[];
};
export type MachineResult = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** A machine that has just been set up: its own processes, network, devices and file system, and an SSH server. */
export type RemoteMachine = {
  /** Reachable from this computer; SSH answers on `port`. */
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** What `vessel host add` takes. */
  readonly target: string;
  /** The key of the person, accepted for `user`. */
  readonly key: KeyPair;
  readonly hostKey: KeyPair;
  /** The file system, seen from this computer. */
  readonly root: string;
  /** This computer's end of the cable, for `tc`. */
  readonly cable: string;
  /** Runs a command as root inside; a non-zero exit is a result. */
  exec(argv: readonly string[], input?: string): Promise<MachineResult>;
  /** The packet filter's tables, listed by this computer's program inside the machine's network. */
  rules(): Promise<string>;
  /** What sshd wrote. */
  log(): Promise<string>;
  /** Cuts the power: everything that runs there is gone, the disk stays. */
  powerOff(): Promise<void>;
  powerOn(): Promise<void>;
  /** Ends it and removes every trace of it from this computer. */
  stop(): Promise<void>;
};

/** Why there can be no such machine here; null when there can. */
export function whyNoMachine(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'a machine of its own (namespaces, mounts) needs Linux and root';
  const missing = ['/usr/bin/mmdebstrap', '/usr/bin/unshare', '/usr/sbin/nft', '/usr/sbin/ip', '/usr/bin/ssh-keygen'].filter((path) => !existsSync(path) && !existsSync(path.replace('/usr/sbin', '/sbin')));
  return missing.length === 0 ? null : `missing: ${missing.join(', ')}`;
}

/** Mounts a machine's own view of the kernel and becomes its first process, which takes in orphans as an init must. $1 is the root, $2 the name. */
const BOOT = `
set -eu
root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs -o mode=755 run "$root/run"
mount -t tmpfs -o mode=755 dev "$root/dev"
cd "$root/dev"
mkdir pts shm net
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 pts pts
mount -t tmpfs -o mode=1777 shm shm
ln -s pts/ptmx ptmx
ln -s /proc/self/fd fd
ln -s fd/0 stdin
ln -s fd/1 stdout
ln -s fd/2 stderr
for node in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0" "net/tun 10 200"; do
  set -- $node "$2"
  mknod -m 666 "$1" c "$2" "$3"
  set -- "$root" "$4"
done
hostname "$2"
cd "$root"
mkdir -p .old
pivot_root . .old
umount -l .old
rmdir .old
mkdir -p /run/sshd /run/lock
read -r go
exec chroot . /bin/sh -c '/usr/sbin/sshd -E /run/sshd.log; while :; do sleep 1; done'`;

const PASSWORD = 'correct horse';
const READY_MS = 20_000;
let count = 0;

/** Sets up a fresh machine and turns it on: about three seconds once its tree is cached. Throws when there can be none, see {@link whyNoMachine}. */
export async function startRemoteMachine(options: MachineOptions = {}): Promise<RemoteMachine> {
  const login = options.login ?? 'root';
  const user = login === 'root' ? 'root' : 'ada';
  const folder = await mkdtemp(join(tmpdir(), 'vrm-'));
  await chmod(folder, 0o711);
  const root = join(folder, 'root');
  await mkdir(root);
  execFileSync('tar', ['-x', '--numeric-owner', '-f', await machineTree(), '-C', root]);
  const key = makeKey(folder, 'person');
  const hostKey = makeKey(folder, 'ssh_host_ed25519_key');
  await install(root, { login, user, key, hostKey, hostname: options.hostname ?? 'box', sshd: options.sshd ?? [] });

  const subnet = freeSubnet();
  const cable = `vrm${process.pid % 100_000}n${count += 1}`;
  const table = cable;
  let machine: { readonly child: ChildProcess; readonly init: number } | null = null;

  const powerOn = async (): Promise<void> => {
    const child = spawn('unshare', ['--mount', '--net', '--pid', '--uts', '--ipc', '--fork', '--kill-child=SIGKILL', 'sh', '-c', BOOT, 'sh', root, options.hostname ?? 'box'], { stdio: ['pipe', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (data: Buffer) => { said += data.toString(); });
    child.stdin.on('error', () => undefined); // it ended already: `said` tells why
    const init = await until(() => childOf(child.pid ?? 0), () => `the machine did not start: ${said}`);
    machine = { child, init };
    const inside = (...argv: string[]): void => { execFileSync('nsenter', ['--target', String(init), '--net', 'ip', ...argv]); };
    execFileSync('ip', ['link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(init)]);
    execFileSync('ip', ['addr', 'add', `${subnet}.1/30`, 'dev', cable]);
    execFileSync('ip', ['link', 'set', cable, 'up']);
    inside('link', 'set', 'lo', 'up');
    inside('addr', 'add', `${subnet}.2/30`, 'dev', 'eth0');
    inside('link', 'set', 'eth0', 'up');
    inside('route', 'add', 'default', 'via', `${subnet}.1`);
    child.stdin.end('go\n');
    await until(() => answers(`${subnet}.2`), () => `sshd does not answer: ${said}`);
  };
  const powerOff = async (): Promise<void> => {
    if (machine === null) return;
    const { child, init } = machine;
    machine = null;
    // The end of its first process ends all others, its network and its mounts.
    process.kill(init, 'SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once('exit', resolve));
    await until(() => Promise.resolve(cable in networkInterfaces() ? null : true), () => `${cable} is still there`);
  };

  const nat = `table ip ${table} {\n chain out {\n  type nat hook postrouting priority srcnat\n  ip saddr ${subnet}.0/30 oifname != "${cable}" masquerade\n }\n}\n`;
  const stop = async (): Promise<void> => {
    await powerOff();
    // Adding what is there is no error, deleting what is not would be one.
    execFileSync('nft', ['-f', '-'], { input: `add table ip ${table}\ndelete table ip ${table}\n` });
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  try {
    execFileSync('nft', ['-f', '-'], { input: nat });
    await forwarding();
    await powerOn();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    address: `${subnet}.2`, port: 22, user, password: PASSWORD, target: `${user}@${subnet}.2`, key, hostKey, root, cable, powerOn, powerOff, stop,
    exec: (argv, input) => {
      if (machine === null) throw new Error('the machine is off');
      const { init } = machine;
      return new Promise((resolve) => {
        const child = execFile('nsenter', ['--target', String(init), '--all', '--', ...argv], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LC_ALL: 'C.UTF-8' } },
          (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }));
        child.stdin?.on('error', () => undefined); // a command that does not read its input
        child.stdin?.end(input ?? '');
      });
    },
    rules: () => {
      if (machine === null) throw new Error('the machine is off');
      return Promise.resolve(execFileSync('nsenter', ['--target', String(machine.init), '--net', 'nft', '--stateless', 'list', 'ruleset'], { encoding: 'utf8' }));
    },
    log: async () => {
      if (machine === null) return '';
      return readFile(`/proc/${machine.init}/root/run/sshd.log`, 'utf8');
    },
  };
}

type Person = { readonly login: NonNullable<MachineOptions['login']>; readonly user: string; readonly key: KeyPair; readonly hostKey: KeyPair; readonly hostname: string; readonly sshd: readonly string[] };

async function install(root: string, { login, user, key, hostKey, hostname, sshd }: Person): Promise<void> {
  const chroot = (argv: readonly string[], input = ''): void => { execFileSync('chroot', [root, ...argv], { input }); };
  await copyFile(hostKey.path, join(root, 'etc/ssh/ssh_host_ed25519_key'));
  await chmod(join(root, 'etc/ssh/ssh_host_ed25519_key'), 0o600);
  await writeFile(join(root, 'etc/ssh/sshd_config.d/machine.conf'), [...sshd, 'HostKey /etc/ssh/ssh_host_ed25519_key', 'PermitRootLogin prohibit-password', 'UseDNS no', 'MaxStartups 100', ''].join('\n'));
  await writeFile(join(root, 'etc/hostname'), `${hostname}\n`);
  await writeFile(join(root, 'etc/hosts'), `127.0.0.1 localhost ${hostname}\n`);
  await rm(join(root, 'etc/resolv.conf'), { force: true });
  await copyFile('/etc/resolv.conf', join(root, 'etc/resolv.conf'));
  if (user !== 'root') {
    chroot(['useradd', '--create-home', '--shell', '/bin/bash', user]);
    chroot(['chpasswd'], `${user}:${PASSWORD}\n`);
    if (login !== 'none') await writeFile(join(root, 'etc/sudoers.d/ada'), `${user} ALL=(ALL) ${login === 'passwordless' ? 'NOPASSWD: ' : ''}ALL\n`, { mode: 0o440 });
  }
  const home = user === 'root' ? '/root' : `/home/${user}`;
  await mkdir(join(root, home, '.ssh'), { mode: 0o700 });
  await writeFile(join(root, home, '.ssh/authorized_keys'), `${key.publicLine}\n`, { mode: 0o600 });
  chroot(['chown', '-R', `${user}:${user}`, `${home}/.ssh`]);
}

/** A network of four addresses that nothing on this computer uses. */
function freeSubnet(): string {
  const used = new Set(Object.values(networkInterfaces()).flatMap((list) => list ?? []).map(({ address }) => address.split('.').slice(0, 3).join('.')));
  for (let tries = 0; tries < 1000; tries += 1) {
    const subnet = `10.213.${Math.floor(Math.random() * 256)}`;
    if (!used.has(subnet)) return subnet;
  }
  throw new Error('no free network');
}

/** The machine reaches package archives through this computer, which therefore has to pass packets on. */
async function forwarding(): Promise<void> {
  if ((await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8')).trim() !== '1') await writeFile('/proc/sys/net/ipv4/ip_forward', '1');
}

async function childOf(pid: number): Promise<number | null> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim();
  return children === '' ? null : Number(children.split(' ')[0]);
}

function answers(address: string): Promise<true | null> {
  return new Promise((resolve) => {
    const socket = connect(22, address);
    const end = (result: true | null): void => { socket.destroy(); resolve(result); };
    socket.setTimeout(500, () => end(null));
    socket.once('data', () => end(true));
    socket.once('error', () => end(null));
  });
}

async function until<T>(look: () => Promise<T | null>, why: () => string): Promise<T> {
  for (const deadline = Date.now() + READY_MS; Date.now() < deadline; await sleep(20)) {
    const found = await look();
    if (found !== null) return found;
  }
  throw new Error(why());
}
