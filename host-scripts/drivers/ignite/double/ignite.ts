/**
 * A stand-in for ignite v0.10.0 with its documented output and oddities: everything goes to stdout, errors as log lines with exit code 1; names and ids match by
 * their beginnings; `run` is not atomic; addresses change at each start; after a crash it goes on believing that a VM runs. The guest is our agent.
 * Moods come as files in its folder: `no-kvm`, `no-image`, `dead-start`, `slow-stop`.
 */
import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { GUEST_AGENT_PORT } from '#shared/guest-protocol.ts';
import { makeGuestFolder } from '../../process/guest-folder.ts';
import { at, lives, readTasks, readVms, vmFolder, writeTask, writeVm } from './state.ts';
import type { VmFile } from './state.ts';

const SIZE = /^\d+(?:KB|MB|GB)$/;
const STOP_MS = 35_000;

const log = (level: string, message: string): void => { process.stdout.write(`time="${new Date().toISOString().replace(/\.\d+/, '')}" level=${level} msg=${JSON.stringify(message)}\n`); };
function fatal(message: string): never {
  rmSync(at('in-use'), { force: true });
  log('fatal', message);
  process.exit(1);
}
const mood = (name: string): boolean => existsSync(at(name));

/** By the beginning of a name or an id, as ignite does it. */
function match(word: string): VmFile {
  const found = readVms().filter(({ metadata }) => metadata.uid.startsWith(word) || metadata.name.startsWith(word));
  if (found.length > 1) fatal(`ambiguous VM query: "${word}" matched the following IDs/names: ${found.map(({ metadata }) => metadata.name).join(', ')}`);
  return found[0] ?? fatal(`can't find VM: no ID/name matches for "${word}"`);
}


async function boot(vm: VmFile): Promise<VmFile> {
  const { uid } = vm.metadata;
  // Another one at every start.
  const address = `127.61.${1 + Math.floor(Math.random() * 250)}.${1 + Math.floor(Math.random() * 250)}`;
  const id = `ignite-${uid}`;
  const started: VmFile = { ...vm, status: { running: true, network: { ipAddresses: [address] }, runtime: { id, name: 'containerd' }, startTime: new Date().toISOString() } };
  if (mood('dead-start')) return started;
  const folder = join(vmFolder(uid), 'guest');
  mkdirSync(folder, { recursive: true });
  const { argv } = await makeGuestFolder(folder, GUEST_AGENT_PORT, vm.spec.token, address);
  const out = openSync(join(vmFolder(uid), 'console.log'), 'a');
  // A VM takes all that ran in it along, however it ends: so does a process namespace.
  const child = spawn('unshare', ['--pid', '--fork', '--kill-child=SIGKILL', ...argv], { cwd: folder, detached: true, stdio: ['ignore', out, out], env: { PATH: process.env['PATH'] ?? '', HOME: folder, LANG: 'C.UTF-8' } });
  child.unref();
  writeTask({ id, pid: child.pid ?? 0 });
  return started;
}

function endTask(vm: VmFile): void {
  const task = readTasks().find(({ id }) => id === vm.status.runtime?.id);
  if (task === undefined) fatal(`failed to stop container for VM "${vm.metadata.uid}": no running task found: task ${vm.status.runtime?.id ?? ''} not found: not found`);
  process.kill(-task.pid, 'SIGKILL');
  for (const name of [task.id]) rmSync(at(`task/${name}`), { force: true });
}
const stopped = (vm: VmFile): VmFile => ({ ...vm, status: { running: false, network: null, runtime: null } });

async function run(args: readonly string[]): Promise<void> {
  const { values, positionals: [image = ''] } = parseArgs({
    args: [...args], allowPositionals: true, options: {
      name: { type: 'string' }, 'require-name': { type: 'boolean' }, 'kernel-image': { type: 'string' }, cpus: { type: 'string', default: '1' }, memory: { type: 'string', default: '512MB' },
      size: { type: 'string', default: '4GB' }, 'copy-files': { type: 'string', short: 'f', multiple: true }, label: { type: 'string', short: 'l', multiple: true }, ssh: { type: 'boolean' },
      runtime: { type: 'string' }, 'network-plugin': { type: 'string' }, volumes: { type: 'string', short: 'v' },
    },
  });
  for (const name of ['memory', 'size'] as const) if (!SIZE.test(values[name])) fatal(`invalid argument "${values[name]}" for "--${name}" flag: invalid byte size`);
  const cpus = Number(values.cpus);
  if (cpus !== 1 && cpus % 2 !== 0) fatal('The vCPU number is invalid! The vCPU number can only be 1 or an even number when hyperthreading is enabled');
  if (values.volumes !== undefined) fatal(`stat ${values.volumes}: not a device file`);
  const name = values.name ?? '';
  if (values['require-name'] === true && name === '') fatal('must set VM name, flag --require-name set');
  if (readVms().some(({ metadata }) => metadata.name === name)) fatal(`invalid VM id/name "${name}": already exists`);
  if (mood('no-image')) fatal(`failed to resolve reference "${image}": pull access denied, repository does not exist`);
  const copied = (values['copy-files'] ?? []).map((pair) => pair.split(':')).find(([, inside]) => inside === '/etc/vessel/token')?.[0];
  if (copied === undefined) fatal('this double\'s guest needs a token at /etc/vessel/token');
  const uid = randomBytes(8).toString('hex');
  const labels = Object.fromEntries((values.label ?? []).map((pair) => pair.split('=') as [string, string]));
  const vm: VmFile = {
    kind: 'VM', metadata: { name, uid, labels }, spec: { cpus, memory: values.memory, diskSize: values.size, image, token: readFileSync(copied, 'utf8').trim() }, status: { running: false, network: null, runtime: null },
  };
  writeVm(vm);
  log('info', `Created VM with ID "${uid}" and name "${name}"`);
  // What was made stays.
  if (mood('no-kvm')) fatal('[preflight] Some fatal errors occurred:\n\t[ERROR ExistingFile--dev-kvm]: File /dev/kvm, does not exist');
  const started = await boot(vm);
  writeVm(started);
  log('info', `Networking is handled by "cni"`);
  log('info', `Started Firecracker VM "${uid}" in a container with ID "ignite-${uid}"`);
}

async function main(): Promise<void> {
  const [verb = '', ...rest] = process.argv.slice(2);
  const word = rest.find((arg) => !arg.startsWith('-')) ?? '';
  switch (verb) {
    case 'run': return run(rest);
    case 'ps': {
      const template = rest[rest.indexOf('-t') + 1] ?? '';
      for (const vm of readVms()) {
        if (!rest.includes('-a') && !vm.status.running) continue;
        const labels = `map[${Object.entries(vm.metadata.labels).map(([key, value]) => `${key}:${value}`).join(' ')}]`;
        process.stdout.write(`${template.replace('{{.ObjectMeta.UID}}', vm.metadata.uid).replace('{{.ObjectMeta.Name}}', vm.metadata.name).replace('{{.ObjectMeta.Labels}}', labels).replace('{{.Status.Running}}', String(vm.status.running))}\n`);
      }
      return;
    }
    case 'inspect': {
      const vm = match(rest[1] ?? '');
      const { token: _token, ...spec } = vm.spec;
      process.stdout.write(`${JSON.stringify({ ...vm, spec, status: { ...vm.status, network: vm.status.running ? vm.status.network : { ipAddresses: null } } }, null, 2)}\n`);
      return;
    }
    case 'logs': {
      const path = join(vmFolder(match(word).metadata.uid), 'console.log');
      process.stdout.write(existsSync(path) ? readFileSync(path) : '');
      return;
    }
    case 'stop': case 'kill': {
      const vm = match(word);
      if (!vm.status.running) fatal('unknown runtime ""');
      if (verb === 'stop' && mood('slow-stop')) await delay(STOP_MS);
      endTask(vm);
      writeVm(stopped(vm));
      log('info', `Stopped VM with name "${vm.metadata.name}" and ID "${vm.metadata.uid}"`);
      return;
    }
    case 'start': {
      const vm = match(word);
      if (vm.status.running) fatal(`VM "${vm.metadata.uid}" is already running`);
      writeVm(await boot(vm));
      return;
    }
    case 'rm': {
      const vm = match(word);
      if (vm.status.running && !rest.includes('-f')) fatal(`${vm.metadata.uid} is running`);
      if (vm.status.running) endTask(vm);
      rmSync(vmFolder(vm.metadata.uid), { recursive: true, force: true });
      log('info', `Removed VM with name "${vm.metadata.name}" and ID "${vm.metadata.uid}"`);
      return;
    }
    case 'exec': {
      if (!match(word).status.running) { process.stdout.write('panic: runtime error: invalid memory address or nil pointer dereference\n'); process.exit(2); }
      return;
    }
    case 'version': process.stdout.write('Ignite version: version.Info{Major:"0", Minor:"10", GitVersion:"v0.10.0"}\nFirecracker version: v0.22.4\n'); return;
    default: fatal(`unknown command "${verb}" for "ignite"`);
  }
}

mkdirSync(at('.'), { recursive: true });
// Two at once mix up its files: here they are caught at it.
if (existsSync(at('in-use')) && lives(Number(readFileSync(at('in-use'), 'utf8')))) {
  log('fatal', 'two calls of ignite at once');
  process.exit(1);
}
writeFileSync(at('in-use'), String(process.pid));
await main();
rmSync(at('in-use'), { force: true });
