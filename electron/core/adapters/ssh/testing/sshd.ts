import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const SSHD = '/usr/sbin/sshd';
/** Why the tests with a real server cannot run here; null when they can. */
export const whyNoSshd = (): string | null => existsSync(SSHD) ? null : 'no /usr/sbin/sshd (apt-get install openssh-server)';
export const isRoot = process.getuid?.() === 0;
export const me = userInfo().username;

export type KeyPair = { readonly path: string; readonly publicLine: string; readonly fingerprint: string };
export type Sshd = {
  readonly port: number;
  readonly folder: string;
  readonly hostKey: KeyPair;
  /** What the server wrote to its log. */
  log(): string;
  /** Ends listener and sessions, as a power cut of the host would, but with the kernel's goodbye. */
  stop(): Promise<void>;
  /** The same server again on the same port. */
  restart(): Promise<void>;
};

/** A folder of its own under the temporary one; the caller removes it. */
export const scratch = (): string => mkdtempSync(join(tmpdir(), 'vsshd-'));

export function makeKey(folder: string, name: string, options: { readonly type?: string; readonly passphrase?: string; readonly bits?: string } = {}): KeyPair {
  const path = join(folder, name);
  execFileSync('ssh-keygen', ['-q', '-t', options.type ?? 'ed25519', ...(options.bits === undefined ? [] : ['-b', options.bits]), '-N', options.passphrase ?? '', '-C', name, '-f', path]);
  const publicLine = execFileSync('cat', [`${path}.pub`], { encoding: 'utf8' }).trim();
  const fingerprint = execFileSync('ssh-keygen', ['-l', '-f', `${path}.pub`], { encoding: 'utf8' }).split(' ')[1] ?? '';
  return { path, publicLine, fingerprint };
}

/** A free port of loopback, as free as one can know. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => { if (address === null || typeof address === 'string') reject(new Error('no port')); else resolve(address.port); });
    });
  });
}

/** A real sshd of its own: port, keys, configuration. `authorized` are public key lines of whoever may log in as the user of the tests. */
export async function startSshd(given: { readonly authorized?: readonly string[]; readonly config?: readonly string[]; readonly hostKeyType?: string; readonly port?: number } = {}): Promise<Sshd> {
  const folder = scratch();
  if (isRoot) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const hostKey = makeKey(folder, 'host_key', { type: given.hostKeyType ?? 'ed25519' });
  writeFileSync(join(folder, 'authorized_keys'), `${(given.authorized ?? []).join('\n')}\n`);
  const port = given.port ?? await freePort();
  // sshd takes the first value of each keyword: what a test gives comes before the usual.
  writeFileSync(join(folder, 'config'), [
    `ListenAddress 127.0.0.1:${port}`, `HostKey ${hostKey.path}`, 'PidFile none', 'LogLevel VERBOSE', ...(given.config ?? []),
    `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`, 'StrictModes no', 'PermitRootLogin yes', 'UsePAM no', 'PasswordAuthentication no', 'KbdInteractiveAuthentication no',
    'MaxStartups 100', 'PrintMotd no', 'Subsystem sftp internal-sftp',
  ].join('\n'));
  let log = '';
  let child = start();
  function start(): ReturnType<typeof spawn> {
    const server = spawn(SSHD, ['-D', '-e', '-f', join(folder, 'config')], { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    server.stderr?.on('data', (data: Buffer) => { log += data.toString(); });
    return server;
  }
  const ready = async (): Promise<void> => {
    for (let tries = 0; tries < 200; tries += 1) {
      if (child.exitCode !== null) throw new Error(`sshd did not start: ${log}`);
      if (await answers(port)) return;
      await sleep(25);
    }
    throw new Error(`sshd does not answer: ${log}`);
  };
  const stop = async (): Promise<void> => {
    const { pid } = child;
    if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    // Sessions are process groups of their own: find them by their ancestor before it is gone.
    const all = descendants(pid);
    for (const one of [...all, pid]) kill(one);
    await ended;
  };
  await ready();
  return {
    port, folder, hostKey, log: () => log,
    stop: async () => { await stop(); rmSync(folder, { recursive: true, force: true }); },
    restart: async () => { await stop(); child = start(); await ready(); },
  };
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it has just ended by itself
  }
}

function descendants(root: number): readonly number[] {
  const parents = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  const found: number[] = [];
  const visit = (pid: number): void => { for (const [child, parent] of parents) if (parent === pid && child !== undefined) { found.push(child); visit(child); } };
  visit(root);
  return found;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('data', () => { socket.destroy(); resolve(true); });
    socket.once('error', () => resolve(false));
  });
}

export type Cutter = {
  readonly port: number;
  /** Breaks every connection with a reset, and refuses new ones until `mend`. */
  cut(): void;
  /** Lets packets vanish: connections stay open and silent. New ones are accepted and silent too. */
  freeze(): void;
  mend(): void;
  /** Breaks everything once so many bytes have gone up through it. */
  cutAfter(bytes: number): void;
  /** Connections accepted so far. */
  accepted(): number;
  close(): Promise<void>;
};

/** A wire that can be cut, between a client and `port`. */
export async function startCutter(port: number): Promise<Cutter> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let open = true;
  let frozen = false;
  let allowance = Infinity;
  let count = 0;
  const cut = (): void => {
    open = false;
    for (const [near, far] of pairs) { near.resetAndDestroy(); far.destroy(); }
    pairs.clear();
  };
  const everybody = new Set<Socket>();
  const server = createServer((near) => {
    count += 1;
    everybody.add(near);
    near.on('close', () => everybody.delete(near));
    near.on('error', () => undefined);
    if (!open) { near.resetAndDestroy(); return; }
    if (frozen) return;
    const far = connect(port, '127.0.0.1');
    far.on('error', () => near.destroy());
    const pair = [near, far] as const;
    pairs.add(pair);
    near.on('data', (data) => {
      if (frozen) return;
      allowance -= data.length;
      if (allowance <= 0) { allowance = Infinity; cut(); return; }
      if (!far.write(data)) { near.pause(); far.once('drain', () => near.resume()); }
    });
    far.on('data', (data) => { if (!frozen && !near.write(data)) { far.pause(); near.once('drain', () => far.resume()); } });
    near.on('close', () => { pairs.delete(pair); if (!frozen) far.destroy(); });
    far.on('close', () => { pairs.delete(pair); if (!frozen) near.destroy(); });
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port, cut,
    freeze: () => { frozen = true; },
    mend: () => { open = true; frozen = false; },
    cutAfter: (bytes) => { allowance = bytes; },
    accepted: () => count,
    close: () => { cut(); for (const near of everybody) near.destroy(); return new Promise((resolve) => { server.close(() => resolve()); }); },
  };
}
