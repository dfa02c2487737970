import { homedir } from 'node:os';
import { readAptSources, renderSources } from '../../images/recipe/apt-sources.ts';
import { readDistribution } from '../../images/recipe/distribution.ts';
import { readHostTrust } from '../../images/recipe/host-trust.ts';
import { cachedLayer, hashInputs } from '../../images/recipe/layer.ts';
import { bootstrap } from '../../images/recipe/mmdebstrap.ts';
import { vesselCache } from '#shared/paths.ts';

/** What a minimal server has: nothing of what provisioning brings. */
const PACKAGES = ['openssh-server', 'sudo', 'ca-certificates'];
/** Raise when the tree is made in another way that the list of packages does not show. */
const TREE_VERSION = 1;

/**
 * The file system of a fresh machine of this computer's distribution, as a tar file: minimal system, sshd, sudo. It installs from
 * the same archives and trusts the same authorities as this computer. About 20 s, cached.
 */
export async function machineTree(): Promise<string> {
  const cacheDir = vesselCache(process.env, homedir(), true);
  const distribution = await readDistribution();
  const [sources, trust] = await Promise.all([readAptSources(distribution), readHostTrust()]);
  const authorities = Object.entries(trust.local).map(([name, text]) => `cat > "$1/usr/local/share/ca-certificates/${name}" <<'END'\n${text.trimEnd()}\nEND`);
  const hooks = [
    'rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/apt/sources.list" "$1"/etc/apt/sources.list.d/*',
    `cat > "$1/etc/apt/sources.list" <<'END'\n${renderSources(sources)}END`,
    ...authorities,
    'chroot "$1" update-ca-certificates',
  ];
  const key = hashInputs({ TREE_VERSION, PACKAGES, distribution, hooks });
  const layer = await cachedLayer(cacheDir, 'machine', key, ({ output }) =>
    bootstrap({ distribution, sources, packages: PACKAGES, hooks, output, root: true }, 'Making a fresh machine', () => undefined, undefined));
  return layer.path;
}
