import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { IdeAdapter } from '../ide/adapter.ts';
import { agentConfig } from './agent-config.ts';
import { TOKEN_FILE } from './guest-layout.ts';
import { INITTAB } from './init-script.ts';
import { PRIMED_PACKAGES } from './pins.ts';
import { topFiles } from './root-image.ts';
import { BASHRC_LINE, systemFiles } from './system-files.ts';

/**
 * For machines whose kernel mounts the root itself, without our initramfs: mounts what is missing, and takes the first token from a
 * file copied in (`ignite run -f token:/etc/vessel/token`) or from the environment of the container's init.
 */
const EARLY = `#!/bin/sh
mountpoint -q /proc || mount -t proc proc /proc
mountpoint -q /sys || mount -t sysfs sys /sys
mountpoint -q /run || mount -t tmpfs -o mode=755,nosuid,nodev run /run
mkdir -p /run/vessel /run/lock
if [ -r /etc/vessel/token ]; then (umask 077; cat /etc/vessel/token > ${TOKEN_FILE}); rm -f /etc/vessel/token
elif [ -n "$VESSEL_TOKEN" ]; then (umask 077; printf %s "$VESSEL_TOKEN" > ${TOKEN_FILE})
fi
`;

/** Writes the build context of `images/Dockerfile` into an empty folder: the Dockerfile and every file of ours that it copies. */
export async function writeOciContext(dir: string, ide: IdeAdapter, guestAgentSource: string, registry: string): Promise<void> {
  const write = async (path: string, text: string, mode = 0o644): Promise<void> => {
    const target = join(dir, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, text);
    await chmod(target, mode);
  };
  // Containers get their resolver and host names from whoever runs them; the host's trust stays with the host.
  const own = new Set(['/etc/resolv.conf', '/etc/hosts', '/etc/hostname']);
  const files = [...systemFiles(registry), ...topFiles(ide, guestAgentSource, agentConfig(ide, null))].filter((file) => !own.has(file.path));
  for (const file of files) await write(join('files', file.path), file.text, file.mode);
  await write('files/usr/lib/vessel/early', EARLY, 0o755);
  await write('files/etc/inittab', `::sysinit:/usr/lib/vessel/early\n${INITTAB}`);
  await write('bashrc', BASHRC_LINE);
  await write('prime.json', JSON.stringify({ private: true, dependencies: PRIMED_PACKAGES }));
  await write('build-ide.sh', ide.buildScript({ inputs: '/tmp/vessel-in', target: '/usr/lib/vessel/ide' }));
  await copyFile(fileURLToPath(new URL('../Dockerfile', import.meta.url)), join(dir, 'Dockerfile'));
}
