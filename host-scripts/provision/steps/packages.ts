import { readFile } from 'node:fs/promises';
import { VesselError } from '#shared/errors.ts';
import { runChecked, runCommand } from '../../system/run-command.ts';
import type { ProvisionStep } from '../step.ts';

/** What microVMs and their images need, and why. */
export const HOST_PACKAGES = [
  'qemu-system-x86', // the hypervisor
  'qemu-utils', // disk layers
  'passt', // the guests' network without rights
  'nftables', // keeps guests away from the host
  'mmdebstrap', // the guest's system
  'e2fsprogs', // disk images without mounting
  'ca-certificates',
] as const;

/** Image building without root happens inside a user namespace with the user's subordinate ids. */
export const UNPRIVILEGED_PACKAGES = ['uidmap'] as const;

const QUERY_DEADLINE_MS = 30_000;
/** Some hundred megabytes over a slow line. */
const INSTALL_DEADLINE_MS = 30 * 60_000;
const NONINTERACTIVE = { DEBIAN_FRONTEND: 'noninteractive' } as const;

async function installed(): Promise<ReadonlySet<string>> {
  const { stdout } = await runChecked(['dpkg-query', '--show', '--showformat', '${db:Status-Status} ${Package}\n'], { deadlineMs: QUERY_DEADLINE_MS });
  return new Set(stdout.split('\n').filter((line) => line.startsWith('installed ')).map((line) => line.slice('installed '.length)));
}

type Account = `user:${string}` | `group:${string}`;
const isAccount = (item: string): item is Account => /^(?:user|group):/.test(item);

async function accounts(): Promise<readonly Account[]> {
  const names = async (path: string): Promise<readonly string[]> => (await readFile(path, 'utf8')).split('\n').map((line) => line.split(':')[0] ?? '').filter((name) => name !== '');
  const [users, groups] = await Promise.all([names('/etc/passwd'), names('/etc/group')]);
  return [...users.map((name) => `user:${name}` as const), ...groups.map((name) => `group:${name}` as const)];
}

async function removeAccount(account: Account, signal: AbortSignal): Promise<string | null> {
  if (!(await accounts()).includes(account)) return null;
  const [kind = '', name = ''] = account.split(':');
  const { code, stderr } = await runCommand([kind === 'user' ? 'userdel' : 'groupdel', name], { deadlineMs: QUERY_DEADLINE_MS, signal });
  return code === 0 ? null : `it is in use: ${stderr.trim()}`;
}

const aptInstall = (packages: readonly string[]): readonly [string, ...string[]] => ['apt-get', 'install', '--yes', '--no-install-recommends', '-o', 'Dpkg::Use-Pty=0', ...packages];

/** The Debian packages that are missing, and only they; what came with them is journaled, so that exactly that goes again. */
export function packagesStep(wanted: () => Promise<readonly string[]>, isRoot: boolean): ProvisionStep {
  const missing = async (): Promise<readonly string[]> => {
    const [names, present] = await Promise.all([wanted(), installed()]);
    return names.filter((name) => !present.has(name));
  };
  return {
    id: 'packages', title: 'Debian packages', weight: 60,
    async check() {
      const names = await missing();
      return names.length === 0
        ? { present: true, evidence: `${(await wanted()).length} packages are installed`, plan: [] }
        : { present: false, evidence: `missing: ${names.join(', ')}`, plan: names.map((name) => `install ${name}`) };
    },
    async run({ journal, signal, log, progress }) {
      const names = await missing();
      if (!isRoot) {
        throw new VesselError('HOST_PERMISSION', `installing packages needs root: ${names.join(', ')}`, { hint: `Run: sudo ${aptInstall(names).filter((word) => !word.startsWith('-o') && word !== 'Dpkg::Use-Pty=0').join(' ')}` });
      }
      // Everything apt is going to install, asked beforehand: the journal must name it before it comes.
      const simulate = async (): Promise<string> => (await runChecked(['apt-get', 'install', '--simulate', '--no-install-recommends', ...names], { deadlineMs: QUERY_DEADLINE_MS, signal, env: NONINTERACTIVE })).stdout;
      const update = (): Promise<unknown> => runChecked(['apt-get', 'update'], { deadlineMs: INSTALL_DEADLINE_MS, signal, env: NONINTERACTIVE, onLine: (line) => log('debug', line) });
      progress(0.02, 'asking the package archive');
      const plan = await simulate().catch(async (error: unknown) => {
        log('info', `the package lists are too old (${VesselError.from(error).message}): fetching them`);
        await update();
        return simulate();
      });
      const coming = [...plan.matchAll(/^Inst (\S+) (\[)?/gm)].filter((match) => match[2] === undefined).map((match) => match[1] ?? '');
      for (const name of coming) await journal.record('packages', name);
      const accountsBefore = await accounts();
      let lines = 0;
      const install = (): Promise<unknown> => runChecked(aptInstall(names), {
        deadlineMs: INSTALL_DEADLINE_MS, signal, env: NONINTERACTIVE,
        onLine: (line) => {
          lines += 1;
          log('debug', line);
          // About four lines of output for each package.
          progress(0.05 + 0.9 * Math.min(1, lines / (4 * coming.length + 10)), line.slice(0, 100));
        },
      });
      await install().catch(async (error: unknown) => {
        signal.throwIfAborted();
        log('warn', `installing failed (${VesselError.from(error).message}): fetching the package lists and trying once more`);
        await update();
        await install();
      });
      // Packages make accounts that removing them leaves behind.
      for (const account of await accounts()) if (!accountsBefore.includes(account)) await journal.record('packages', account);
    },
    async undoAll(entries, signal) {
      const present = await installed();
      const ours = entries.map(({ item }) => item).filter((name) => present.has(name));
      if (ours.length < 2) return false;
      // Only when nothing else would go with them: what was there before, and what somebody installed on top of ours, stays.
      const { stdout } = await runChecked(['apt-get', 'remove', '--simulate', '--purge', ...ours], { deadlineMs: QUERY_DEADLINE_MS, signal, env: NONINTERACTIVE });
      if ([...stdout.matchAll(/^(?:Remv|Purg) (\S+)/gm)].some((match) => !ours.includes(match[1] ?? ''))) return false;
      const result = await runCommand(['apt-get', 'remove', '--yes', '--purge', '-o', 'Dpkg::Use-Pty=0', ...ours], { deadlineMs: INSTALL_DEADLINE_MS, signal, env: NONINTERACTIVE });
      return result.code === 0;
    },
    async undo({ item }, signal) {
      if (isAccount(item)) return removeAccount(item, signal);
      if (!(await installed()).has(item)) return null;
      const { stdout } = await runChecked(['apt-get', 'remove', '--simulate', '--purge', item], { deadlineMs: QUERY_DEADLINE_MS, signal, env: NONINTERACTIVE });
      const others = [...stdout.matchAll(/^(?:Remv|Purg) (\S+)/gm)].map((match) => match[1] ?? '').filter((name) => name !== item);
      if (others.length > 0) return `other packages need it: ${others.slice(0, 5).join(', ')}`;
      const result = await runCommand(['apt-get', 'remove', '--yes', '--purge', '-o', 'Dpkg::Use-Pty=0', item], { deadlineMs: INSTALL_DEADLINE_MS, signal, env: NONINTERACTIVE });
      return result.code === 0 ? null : `apt-get ended with code ${result.code}`;
    },
  };
}
