import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'ws';
import { EXEC_FRAME, GUEST_AGENT_PORT, GUEST_API_PREFIX, GuestHealthSchema } from '#shared/guest-protocol.ts';
import { vesselCache } from '#shared/paths.ts';
import { bundleGuestAgent } from '../guest-agent/bundle.ts';
import { bootArguments, kernelCommandLine } from './boot-arguments.ts';
import { buildGoldenImage } from './build-golden-image.ts';
import { makeDataDisk } from './data-disk.ts';
import type { GoldenImage } from './golden-image.ts';
import { GUEST_NETWORK } from './guest-layout.ts';
import { measureTscKhz } from './tsc-frequency.ts';

/** The cache shared with everything else on this machine: a test must not build for minutes what is there. */
export const CACHE = vesselCache(process.env, homedir(), process.getuid?.() === 0);

export async function goldenImageOfThisTree(): Promise<GoldenImage> {
  const scratch = await mkdtemp(join(tmpdir(), 'vessel-agent-'));
  try {
    await bundleGuestAgent(join(scratch, 'agent.mjs'));
    return await buildGoldenImage({ cacheDir: CACHE, guestAgentSource: await readFile(join(scratch, 'agent.mjs'), 'utf8') });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

export type Executed = { readonly code: number | null; readonly stdout: string; readonly stderr: string };
export type BootedGuest = {
  readonly token: string;
  readonly url: string;
  exec(...argv: readonly string[]): Promise<Executed>;
  console(): Promise<string>;
  /** Resolves once the hypervisor has ended. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
};

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Boots an image under emulation with user networking and waits until the agent says that the IDE serves. */
export async function bootGuest(image: GoldenImage, deadlineMs: number): Promise<BootedGuest> {
  const dir = await mkdtemp(join(tmpdir(), 'vessel-boot-'));
  const token = randomBytes(32).toString('hex');
  const dataDisk = join(dir, 'data.raw');
  const consoleFile = join(dir, 'console');
  await makeDataDisk(dataDisk);
  await writeFile(join(dir, 'token'), token, { mode: 0o600 });
  const commandLine = kernelCommandLine(image, { kind: 'tcg', tscKhz: await measureTscKhz(dir) });
  const port = await freePort();
  const { address, gateway, nameserver } = GUEST_NETWORK;
  const log = await open(join(dir, 'qemu.log'), 'w');
  const machine = spawn('qemu-system-x86_64', [
    '-M', 'microvm,rtc=on', '-accel', 'tcg,thread=multi', '-cpu', 'max', '-m', '1024', '-smp', '2', '-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none',
    '-serial', `file:${consoleFile}`, ...bootArguments(image, commandLine, { dataDisk, dataFormat: 'raw', tokenFile: join(dir, 'token') }),
    '-netdev', `user,id=net0,net=172.31.0.0/24,host=${gateway},dns=${nameserver},dhcpstart=172.31.0.100,hostfwd=tcp:127.0.0.1:${port}-${address}:${GUEST_AGENT_PORT}`,
    '-device', 'virtio-net-device,netdev=net0', '-device', 'virtio-rng-device',
  ], { stdio: ['ignore', log.fd, log.fd] });
  const ended = new Promise<void>((resolve) => { machine.once('close', () => resolve()); });
  const url = `http://127.0.0.1:${port}`;
  const guest: BootedGuest = {
    token, url, ended,
    exec: (...argv) => execute(url, token, argv),
    console: () => readFile(consoleFile, 'utf8'),
    stop: async () => {
      machine.kill('SIGKILL');
      await ended;
      await log.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
  const until = Date.now() + deadlineMs;
  for (;;) {
    if (await ideReady(url, token)) return guest;
    if (Date.now() > until || machine.exitCode !== null) {
      const text = `${await readFile(join(dir, 'qemu.log'), 'utf8')}\n${await guest.console()}`;
      await guest.stop();
      throw new Error(`The guest did not become ready:\n${text}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function ideReady(url: string, token: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}${GUEST_API_PREFIX}/health`, { headers: { authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(5000) });
    return response.ok && GuestHealthSchema.parse(await response.json()).ideReady;
  } catch {
    // Not up yet; the caller's deadline decides.
    return false;
  }
}

function execute(url: string, token: string, argv: readonly string[]): Promise<Executed> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}${GUEST_API_PREFIX}/exec`, { headers: { authorization: `Bearer ${token}` } });
    let stdout = '';
    let stderr = '';
    socket.once('error', reject);
    socket.once('open', () => {
      socket.send(JSON.stringify({ type: 'start', argv, cwd: '', env: {}, pty: null }));
      socket.send(JSON.stringify({ type: 'stdin-end' }));
    });
    socket.on('message', (data: Buffer, binary) => {
      if (binary) {
        if (data[0] === EXEC_FRAME.stderr) stderr += data.subarray(1).toString();
        else stdout += data.subarray(1).toString();
        return;
      }
      const message = JSON.parse(data.toString()) as { readonly type: string; readonly code?: number | null; readonly error?: unknown };
      if (message.type === 'exit') {
        socket.close();
        resolve({ code: message.code ?? null, stdout, stderr });
      } else if (message.type === 'error') {
        socket.close();
        reject(new Error(JSON.stringify(message.error)));
      }
    });
  });
}
