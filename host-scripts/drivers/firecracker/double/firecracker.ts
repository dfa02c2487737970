/**
 * A stand-in for firecracker v1.16, run as `node firecracker.ts --id X --api-sock P` in the folder that would be its root. It listens on the API socket,
 * checks bodies and order as firecracker does (204, or 400 with `fault_message`), and stands our guest agent in for the guest. What it cannot
 * show: that a kernel boots, that memory is shared, timing.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createConnection, createServer as createSocketServer } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { z } from 'zod';
import { GUEST_AGENT_PORT } from '#shared/guest-protocol.ts';
import { GUEST_NETWORK } from '../../../../images/recipe/index.ts';
import { DoubleGuest } from './guest.ts';
import type { Frozen } from './guest.ts';
import { SCHEMAS } from './schemas.ts';

class Fault extends Error {}
const BEFORE = 'The requested operation is not supported before starting the microVM.';
const AFTER = 'The requested operation is not supported after starting the microVM.';
const ELF = '\x7fELF';
const SECTOR = 512;
const AGENT_VSOCK_PORT = 9999;
const FIRST_HOST_PORT = 1 << 30;

const { values } = parseArgs({ strict: false, options: { version: { type: 'boolean' }, id: { type: 'string' }, 'api-sock': { type: 'string', default: '/run/firecracker.socket' } } });
if (values.version === true) {
  process.stdout.write('Firecracker v1.16.0\n');
  process.exit(0);
}
const root = process.env['FIRECRACKER_DOUBLE_ROOT'] ?? '/';
// Relative, because a socket's path may have 107 bytes: for the genuine program this folder is the root.
process.chdir(root);
const inJail = (path: string): string => join('.', path);

type Drive = z.output<typeof SCHEMAS.drive>;
const configured: { machine: z.output<typeof SCHEMAS.machineConfig> | null; boot: z.output<typeof SCHEMAS.bootSource> | null; network: string | null; vsock: string | null; readonly drives: Map<string, Drive> } = { machine: null, boot: null, network: null, vsock: null, drives: new Map() };
let state: 'empty' | 'configured' | 'running' | 'paused' = 'empty';
// A guest that restarts ends its machine: firecracker leaves with success.
const guest = new DoubleGuest(root, (code) => { if (state === 'running') process.exit(code === 0 ? 0 : 148); });

function parse<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new Fault(`An error occurred when deserializing the json body of a request: ${parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}.`);
}

function needFile(path: string, what: string): string {
  if (!existsSync(inJail(path))) throw new Fault(`${what}: No such file or directory (os error 2) ${path}`);
  return inJail(path);
}

function needTap(device: string): void {
  try {
    execFileSync('ip', ['link', 'show', device], { stdio: 'ignore' });
  } catch {
    throw new Fault(`Cannot create network device: Open tap device failed: Error while creating ifreq structure: ${device}`);
  }
}

function listenVsock(path: string): void {
  if (existsSync(inJail(path))) throw new Fault('Cannot create vsock device: Error binding to the host-side Unix socket: Address in use (os error 98)');
  let next = FIRST_HOST_PORT;
  createSocketServer((client: Socket) => {
    client.once('data', (line: Buffer) => {
      const port = Number(/^CONNECT (\d+)\n$/.exec(line.toString('latin1'))?.[1]);
      if (port !== AGENT_VSOCK_PORT) return client.destroy();
      const inside = createConnection(GUEST_AGENT_PORT, GUEST_NETWORK.address, () => {
        client.write(`OK ${next}\n`);
        next += 1;
        client.pipe(inside).pipe(client);
      });
      for (const [one, other] of [[client, inside], [inside, client]] as const) one.on('error', () => other.destroy());
      return undefined;
    });
    client.on('error', () => undefined);
  }).listen(inJail(path));
}

async function start(): Promise<void> {
  if (configured.boot === null) throw new Fault('Cannot start microvm without kernel configuration.');
  const { boot } = configured;
  const word = (name: string): string | null => new RegExp(`(?:^| )${name}=(\\S+)`).exec(boot.boot_args ?? '')?.[1] ?? null;
  // What the golden image's init does: drives are vda, vdb … in the order in which they were configured.
  const drives = [...configured.drives.values()];
  const named = (device: string | null): Drive | undefined => (device === null ? undefined : drives[device.charCodeAt(2) - 'a'.charCodeAt(0)]);
  const [rootDrive, data, token] = [named(word('vessel-root')), named(word('vessel-data')), named(word('vessel-token'))];
  if (rootDrive?.is_read_only !== true || data === undefined || data.is_read_only === true || token === undefined) throw new Fault('the guest finds no root, data or token drive');
  if (configured.vsock !== null) listenVsock(configured.vsock);
  process.stdout.write('vessel: kernel up at 0.1s\n');
  state = 'running';
  await guest.boot(readFileSync(inJail(token.path_on_host), 'latin1').slice(0, 64));
}

async function load(body: unknown): Promise<void> {
  if (state !== 'empty') throw new Fault('Loading a microVM snapshot not allowed after configuring boot-specific resources.');
  const wanted = parse(SCHEMAS.load, body);
  if ((wanted.mem_backend === undefined) === (wanted.mem_file_path === undefined)) throw new Fault('Load snapshot error: either `mem_file_path` or `mem_backend` is required.');
  const saved = JSON.parse(readFileSync(needFile(wanted.snapshot_path, 'Load snapshot error: Failed to open snapshot file'), 'utf8')) as { readonly kind?: string; readonly drives: readonly Drive[]; readonly network: string | null; readonly vsock: string | null; readonly frozen: Frozen };
  if (saved.kind !== 'double-snapshot') throw new Fault('Load snapshot error: Failed to restore from snapshot: invalid magic');
  needFile(wanted.mem_backend?.backend_path ?? wanted.mem_file_path ?? '', 'Load snapshot error: Failed to load guest memory');
  for (const { path_on_host: path } of saved.drives) needFile(path, 'Load snapshot error: Failed to restore devices: Unable to open block device');
  if (saved.network !== null) needTap(wanted.network_overrides?.[0]?.host_dev_name ?? saved.network);
  const socket = wanted.vsock_override?.uds_path ?? saved.vsock;
  if (socket !== null) listenVsock(socket);
  for (const drive of saved.drives) configured.drives.set(drive.drive_id, drive);
  Object.assign(configured, { network: saved.network, vsock: saved.vsock });
  await guest.restore(saved.frozen);
  guest.pause();
  state = 'paused';
  if (wanted.resume_vm === true) resume();
}

function resume(): void {
  guest.resume();
  state = 'running';
}

function create(body: unknown): void {
  if (state !== 'paused') throw new Fault(state === 'running' ? 'Create snapshot error: Cannot save the microVM state: the microVM is not paused.' : BEFORE);
  const { snapshot_path: path, mem_file_path: memory } = parse(SCHEMAS.create, body);
  writeFileSync(inJail(path), JSON.stringify({ kind: 'double-snapshot', drives: [...configured.drives.values()], network: configured.network, vsock: configured.vsock, frozen: guest.freeze() }));
  writeFileSync(inJail(memory), Buffer.alloc(SECTOR));
}

/** Configuration before the start; a device is looked at when it is configured. */
function configure(path: string, body: unknown): void {
  if (state === 'running' || state === 'paused') throw new Fault(AFTER);
  const [, kind, id] = path.split('/');
  switch (kind) {
    case 'machine-config': configured.machine = parse(SCHEMAS.machineConfig, body); break;
    case 'boot-source': {
      const boot = parse(SCHEMAS.bootSource, body);
      const kernel = needFile(boot.kernel_image_path, 'The kernel file cannot be opened');
      if (!readFileSync(kernel).subarray(0, 4).equals(Buffer.from(ELF, 'latin1'))) throw new Fault('Cannot load kernel due to invalid memory configuration or invalid kernel image: Invalid Elf magic number');
      if (boot.initrd_path !== undefined) needFile(boot.initrd_path, 'The initrd file cannot be opened due to invalid path or invalid permissions');
      configured.boot = boot;
      break;
    }
    case 'drives': {
      const drive = parse(SCHEMAS.drive, body);
      if (drive.drive_id !== id) throw new Fault('The id from the path does not match the id from the body!');
      if (statSync(needFile(drive.path_on_host, 'Unable to create the virtio block device: Virtio backend error: Error manipulating the backing file')).size % SECTOR !== 0) throw new Fault('a drive is a whole number of sectors');
      configured.drives.set(drive.drive_id, drive);
      break;
    }
    case 'network-interfaces': {
      const network = parse(SCHEMAS.network, body);
      if (network.iface_id !== id) throw new Fault('The id from the path does not match the id from the body!');
      needTap(network.host_dev_name);
      configured.network = network.host_dev_name;
      break;
    }
    case 'vsock': configured.vsock = parse(SCHEMAS.vsock, body).uds_path; break;
    case 'entropy': parse(SCHEMAS.entropy, body); break;
    case 'balloon': parse(SCHEMAS.balloon, body); break;
    default: throw new Fault(`Invalid request method and/or path: PUT ${path}.`);
  }
  state = 'configured';
}

async function handle(method: string, path: string, body: unknown): Promise<void> {
  if (method === 'PATCH' && path === '/vm') {
    if (state !== 'running' && state !== 'paused') throw new Fault(BEFORE);
    if (parse(SCHEMAS.vm, body).state === 'Resumed') return resume();
    guest.pause();
    state = 'paused';
    return;
  }
  if (method !== 'PUT') throw new Fault(`Invalid request method and/or path: ${method} ${path}.`);
  if (path === '/snapshot/load') return load(body);
  if (path === '/snapshot/create') return create(body);
  if (path !== '/actions') return configure(path, body);
  parse(SCHEMAS.action, body);
  if (state === 'running' || state === 'paused') throw new Fault(AFTER);
  await start();
}

const socketPath = inJail(String(values['api-sock']));
rmSync(socketPath, { force: true });
createServer((request, response) => {
  let text = '';
  request.setEncoding('utf8').on('data', (chunk: string) => { text += chunk; });
  request.on('end', () => {
    Promise.resolve().then(() => handle(request.method ?? '', request.url ?? '', JSON.parse(text))).then(
      () => response.writeHead(204, { server: 'Firecracker API' }).end(),
      (error: unknown) => response.writeHead(400, { server: 'Firecracker API', 'content-type': 'application/json' }).end(JSON.stringify({ fault_message: error instanceof Error ? error.message : String(error) })),
    );
  });
}).listen(socketPath);
