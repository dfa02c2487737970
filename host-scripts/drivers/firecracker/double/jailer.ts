/**
 * A stand-in for firecracker's jailer, run as `node jailer.ts …`: checks its arguments as the jailer does, makes the jail, enters the network namespace and
 * becomes the program. It neither changes the root nor gives up rights: the program is a Node script, which needs its files.
 */
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';

/** The jailer's own words begin so, and its exit code is 1. */
function fail(message: string): never {
  process.stderr.write(`Error: ${message}\n`);
  process.exit(1);
}

const own = process.argv.slice(2);
const split = own.indexOf('--');
const { values } = parseArgs({
  args: split === -1 ? own : own.slice(0, split), strict: true,
  options: {
    id: { type: 'string' }, 'exec-file': { type: 'string' }, uid: { type: 'string' }, gid: { type: 'string' }, 'chroot-base-dir': { type: 'string', default: '/srv/jailer' },
    netns: { type: 'string' }, 'cgroup-version': { type: 'string', default: '1' }, 'parent-cgroup': { type: 'string' }, cgroup: { type: 'string', multiple: true }, 'new-pid-ns': { type: 'boolean' },
    daemonize: { type: 'boolean' },
  },
});
const { id, netns } = values;
const program = values['exec-file'];
if (id === undefined || !/^[A-Za-z0-9-]{1,64}$/.test(id)) fail(`Invalid instance ID: ${id ?? ''}`);
if (program === undefined || !existsSync(program) || !statSync(program).isFile()) fail(`Failed to canonicalize path ${program ?? ''}: No such file or directory`);
if (!basename(program).includes('firecracker')) fail(`Invalid filename. The filename of \`--exec-file\` option must contain "firecracker": ${basename(program)}`);
for (const name of ['uid', 'gid'] as const) if (!/^\d+$/.test(values[name] ?? '')) fail(`Argument '${name}' required, but not found.`);
if (!['1', '2'].includes(values['cgroup-version'])) fail(`Invalid cgroup version: ${values['cgroup-version']}`);
for (const entry of values.cgroup ?? []) if (!/^[a-z_]+\.[a-z_.]+=.+$/.test(entry)) fail(`Invalid format for cgroups: ${entry}`);
if (netns !== undefined && !existsSync(netns)) fail(`Failed to open file ${netns}: No such file or directory`);

const root = join(values['chroot-base-dir'], basename(program), id, 'root');
mkdirSync(root, { recursive: true });
const device = join(root, 'dev');
if (existsSync(device)) fail(`Failed to create ${device}/kvm via mknod inside the jail: File exists (os error 17)`);
mkdirSync(device);
copyFileSync(program, join(root, basename(program)));

const rest = split === -1 ? [] : own.slice(split + 1);
// Stays as the parent: Node cannot replace itself. A signal that ends it ends the machine too.
const argv = [...(netns === undefined ? [] : ['nsenter', `--net=${netns}`]), 'setpriv', '--pdeathsig', 'KILL', program, '--id', id, ...rest] as [string, ...string[]];
const child = spawn(argv[0], argv.slice(1), { cwd: root, stdio: 'inherit', env: { ...process.env, FIRECRACKER_DOUBLE_ROOT: root } });
child.on('exit', (code, signal) => process.exit(signal === null ? code ?? 1 : 1));
