import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { IdeAdapter } from '../ide/adapter.ts';
import { AGENT_CONFIG_PATH, AGENT_PATH, GUEST_USER, LAUNCHER_PATH, VESSEL_LIB } from './guest-layout.ts';
import { IDE_DIR } from './ide-layer.ts';
import { INITTAB, RUN_AGENT } from './init-script.ts';
import { run } from './run.ts';
import { guestFiles } from './system-files.ts';
import type { SystemFile } from './system-files.ts';
import { KERNEL_DIR } from './system-layer.ts';

/** Room beyond the content: ext4's own tables. The root is read-only, so it needs no free space. */
const SLACK_PERCENT = 8;
const SLACK_MEBIBYTES = 48;

/**
 * Unpacks the layers and makes trees ready, run as (real or mapped) root: `$1` scratch, `$2` system layer, `$3` IDE layer.
 * Ownership matters, hence no Node here: without root all of it happens inside one user namespace.
 */
const UNPACK = `set -eu
cd "$1"
mkdir tree
tar -xf "$2" -C tree --numeric-owner --exclude='./dev/*'
mv tree/${KERNEL_DIR} kernel
mkdir -p tree/lib/modules tree${VESSEL_LIB}
cp -a kernel/lib/modules/. tree/lib/modules/
tar -xf "$3" -C tree${VESSEL_LIB} --numeric-owner
[ -d tree${VESSEL_LIB}/${IDE_DIR} ]
chown -R 0:0 tree${VESSEL_LIB}/${IDE_DIR}
chmod -R go=u-w tree${VESSEL_LIB}/${IDE_DIR}
chmod -R a+rX kernel
`;

/** `$1` scratch, `$2` output, `$3` the file system's identity. */
const PACK = `set -eu
cd "$1"
cp -r files/. tree/
chown -R ${GUEST_USER.uid}:${GUEST_USER.gid} tree${GUEST_USER.home}
chown 0:0 tree/etc/sudoers.d/vessel
mkdir -p tree/dev tree/proc tree/sys tree/run tree/tmp
chmod 1777 tree/tmp
size=$(( $(du -sm --apparent-size tree | cut -f1) ))
blocks=$(du -sm tree | cut -f1)
[ $blocks -gt $size ] && size=$blocks
inodes=$(( $(find tree | wc -l) + 2000 ))
mke2fs -q -t ext4 -O ^has_journal,^resize_inode -m 0 -b 4096 -N $inodes -L vessel-root -U "$3" -E hash_seed="$3",lazy_itable_init=0 -d tree "$2" $(( size + size * ${SLACK_PERCENT} / 100 + ${SLACK_MEBIBYTES} ))M
`;

const REMOVE = 'set -eu\nrm -rf "$1/tree" "$1/kernel"\n';

/** Without root a user namespace with the user's subordinate ids stands in for it. */
function asRoot(root: boolean, script: string, args: readonly string[]): readonly string[] {
  return [...(root ? [] : ['unshare', '--map-root-user', '--map-auto', '--']), 'sh', '-c', script, 'sh', ...args];
}

/** Steps of making `root.img` in a scratch folder; `tree` and `kernel` below it hold the unpacked layers between the two. */
export const rootImage = {
  async unpack(scratch: string, systemLayer: string, ideLayer: string, root: boolean, signal: AbortSignal | undefined): Promise<void> {
    await run(asRoot(root, UNPACK, [scratch, systemLayer, ideLayer]), { what: 'Unpacking the layers', signal });
  },

  /** Writes the files on top and packs the tree. `uuid` comes from the image's key: equal inputs, equal identity. */
  async pack(scratch: string, files: readonly SystemFile[], uuid: string, output: string, root: boolean, signal: AbortSignal | undefined): Promise<void> {
    for (const file of files) {
      const path = join(scratch, 'files', file.path);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, file.text);
      await chmod(path, file.mode);
    }
    await run(asRoot(root, PACK, [scratch, output, uuid]), { what: 'Packing the root disk', signal });
  },

  async remove(scratch: string, root: boolean): Promise<void> {
    await run(asRoot(root, REMOVE, [scratch]), { what: 'Removing the scratch folder' });
  },
};

/** What lies on top of the layers: changes here rebuild in seconds. */
export function topFiles(ide: IdeAdapter, guestAgentSource: string, agentConfigText: string): readonly SystemFile[] {
  return [
    ...guestFiles(),
    { path: AGENT_PATH, mode: 0o644, text: guestAgentSource },
    ...(ide.launcher === null ? [] : [{ path: LAUNCHER_PATH, mode: 0o644, text: ide.launcher }]),
    { path: AGENT_CONFIG_PATH, mode: 0o644, text: agentConfigText },
    { path: `${VESSEL_LIB}/run-agent`, mode: 0o755, text: RUN_AGENT },
    { path: '/etc/inittab', mode: 0o644, text: INITTAB },
    { path: `${GUEST_USER.home}/${ide.settingsPath}`, mode: 0o644, text: `${JSON.stringify(ide.settings, null, 2)}\n` },
  ];
}
