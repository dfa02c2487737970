import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** dockerd answers within two seconds on an idle machine; thirty means that it cannot run here. */
const DAEMON_DEADLINE_MS = 30_000;
const ANSWER_DEADLINE_MS = 60_000;
const CONTAINER_PORT = 3000;
const FIRST_HOST_PORT = 38_321;

/** The same IDE in a Docker container, from the same root file system as the golden image. */
export type DockerPeer = {
  /** Starts one container and resolves when the IDE answers its health check. `place` (0 unless told) tells apart those that live side by side. */
  start(place?: number): Promise<{ readonly id: string }>;
  /** The container's own processes, as the host sees them. */
  processes(id: string): Promise<readonly number[]>;
  /** What runs on the host for this container alone: its containerd-shim and the proxy of its port. They stand beside it as the network helper stands beside a VM. */
  helpers(id: string): Promise<readonly number[]>;
  remove(id: string): Promise<void>;
  dispose(): Promise<void>;
};

export type DockerPeerOptions = {
  /** A golden root.img (ext4); its tree becomes the container image. */
  readonly rootImage: string;
  /** What starts the IDE in the guest, from the image's agent configuration. */
  readonly argv: (port: number) => readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly healthPath: string;
  readonly log: (line: string) => void;
};

/**
 * A private Docker daemon with its own data, socket and containers.
 * Returns the reason as a string when Docker cannot be had here.
 */
export async function dockerPeer(options: DockerPeerOptions): Promise<DockerPeer | string> {
  const found = await run('sh', ['-c', 'command -v dockerd']).then(() => true, () => false);
  if (!found) return 'dockerd is not installed (apt-get install docker.io)';
  if (process.getuid?.() !== 0) return 'dockerd needs root';
  const dir = await mkdtemp(join(tmpdir(), 'vsl-docker-'));
  const socket = `unix://${dir}/docker.sock`;
  const daemon = spawn('dockerd', ['--data-root', join(dir, 'data'), '--exec-root', join(dir, 'exec'), '--pidfile', join(dir, 'pid'), '-H', socket], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  daemon.stdout.on('data', (chunk: Buffer) => { output += chunk.toString(); });
  daemon.stderr.on('data', (chunk: Buffer) => { output += chunk.toString(); });
  const ended = new Promise<void>((resolve) => daemon.once('exit', () => resolve()));
  const docker = async (...args: string[]): Promise<string> => (await run('docker', ['-H', socket, ...args], { maxBuffer: 1e8 })).stdout.trim();
  const dispose = async (): Promise<void> => {
    daemon.kill('SIGTERM');
    await ended;
    await rm(dir, { recursive: true, force: true });
  };
  const deadline = Date.now() + DAEMON_DEADLINE_MS;
  while (!(await docker('info').then(() => true, () => false))) {
    if (Date.now() > deadline || daemon.exitCode !== null) {
      await dispose();
      return `dockerd does not run here: ${output.split('\n').slice(-4).join(' ')}`;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  options.log('importing the golden root into Docker');
  const tree = join(dir, 'tree');
  await mkdir(tree);
  await run('mount', ['-o', 'loop,ro', options.rootImage, tree]);
  try {
    await run('sh', ['-c', 'tar -C "$1" --exclude=./proc --exclude=./sys -c . | docker -H "$2" import - vessel-peer:bench', 'sh', tree, socket], { maxBuffer: 1e8 });
  } finally {
    await run('umount', [tree]);
  }
  return {
    start: async (place = 0) => {
      const port = FIRST_HOST_PORT + place;
      const id = await docker('run', '-d', '--user', '1000:1000', '-w', '/home/workspace', '-e', 'HOME=/home/vessel', ...Object.entries(options.env).flatMap(([name, value]) => ['-e', `${name}=${value}`]), '-p', `127.0.0.1:${port}:${CONTAINER_PORT}`, 'vessel-peer:bench', ...options.argv(CONTAINER_PORT));
      await answers(port, options.healthPath);
      return { id };
    },
    processes: async (id) => (await docker('top', id, '-o', 'pid')).split('\n').slice(1).map(Number),
    helpers: async (id) => {
      const shim = await run('pgrep', ['-f', '--', `containerd-shim.* -id ${id}`]);
      const port = (await docker('port', id, `${CONTAINER_PORT}/tcp`)).split(':').at(-1) ?? '';
      const proxy = await run('pgrep', ['-P', String(daemon.pid), '-f', '--', `docker-proxy.* -host-port ${port}`]);
      return `${shim.stdout}${proxy.stdout}`.trim().split('\n').map(Number);
    },
    remove: async (id) => { await docker('rm', '-f', id); },
    dispose,
  };
}

async function answers(port: number, path: string): Promise<void> {
  const deadline = Date.now() + ANSWER_DEADLINE_MS;
  while (Date.now() < deadline) {
    const ok = await new Promise<boolean>((resolve) => {
      get({ host: '127.0.0.1', port, path }, (response) => { response.resume(); resolve(response.statusCode === 200); }).once('error', () => resolve(false));
    });
    if (ok) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error('the container did not answer in time');
}

export type Memory = { readonly privateMiB: number; readonly proportionalMiB: number };

/** Private and proportional memory of a set of processes, from smaps_rollup. */
export async function memoryOf(pids: readonly number[]): Promise<Memory> {
  let privateKiB = 0;
  let proportionalKiB = 0;
  for (const pid of pids) {
    const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
    const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
    privateKiB += kib('Private_Clean') + kib('Private_Dirty');
    proportionalKiB += kib('Pss');
  }
  const mib = (kib: number): number => Math.round(kib / 102.4) / 10;
  return { privateMiB: mib(privateKiB), proportionalMiB: mib(proportionalKiB) };
}
