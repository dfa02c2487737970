import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './paths.mjs';
import { run } from './run.mjs';

/** A mirror on a slow line; beyond this something is stuck. */
const APT_MS = 15 * 60_000;
const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };

/** Names in build/debian-packages.txt. */
export const wantedPackages = () => readFileSync(join(root, 'build', 'debian-packages.txt'), 'utf8').split('\n').map((line) => line.replace(/#.*/, '').trim()).filter((line) => line !== '');

/** The packages that dpkg does not have installed; null where there is no dpkg. */
export async function missingPackages(names) {
  const result = await run('dpkg-query', ['-W', '-f', '${db:Status-Status} ${Package}\n', ...names], { output: 'capture', env });
  if (result.code === 127) return null;
  const installed = new Set(result.text.split('\n').filter((line) => line.startsWith('installed ')).map((line) => line.slice('installed '.length)));
  return names.filter((name) => !installed.has(name));
}

/** Installs what is missing of the names. Returns the reason when something still is, else null. */
export async function installPackages(say, names = wantedPackages()) {
  const missing = await missingPackages(names);
  if (missing === null) return `this is no Debian or Ubuntu; install these yourself: ${names.join(' ')}`;
  if (missing.length === 0) return null;
  if (process.getuid?.() !== 0) return `as root, run: apt-get install ${missing.join(' ')}`;
  say(`Installing Debian packages: ${missing.join(' ')}`);
  if (missing.includes('openssh-server') && existsSync('/run/systemd/system')) {
    // The package would let the whole network in the moment it is installed; the tests only start its program by themselves.
    say('Masking ssh.service, so that no SSH server starts by itself (undo: systemctl unmask ssh.service ssh.socket)');
    const masked = await run('systemctl', ['mask', 'ssh.service', 'ssh.socket'], { output: 'capture', env });
    if (masked.code !== 0) return `could not keep the SSH server from starting by itself: ${masked.text.trim()}`;
  }
  for (const args of [['update', '-q'], ['install', '-y', '-q', '--no-install-recommends', ...missing]]) {
    const result = await run('apt-get', args, { output: 'capture', env, timeoutMs: APT_MS });
    if (result.code !== 0) return `apt-get ${args[0]} failed: ${result.text.trim().split('\n').slice(-3).join(' | ')}`;
  }
  return null;
}
