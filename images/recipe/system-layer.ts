import { chmod, cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { AptSource } from './apt-sources.ts';
import type { Distribution } from './distribution.ts';
import { CA_BUNDLE, CA_FOR_NODE, GUEST_USER, VESSEL_LIB, WORKSPACE_DIR } from './guest-layout.ts';
import type { HostTrust } from './host-trust.ts';
import { cachedLayer, hashInputs } from './layer.ts';
import type { Layer } from './layer.ts';
import { bootstrap, hookPath } from './mmdebstrap.ts';
import { unpackNpmPackage } from './npm-packages.ts';
import { GUEST_PACKAGES, kernelPackage } from './packages.ts';
import { NODE_PACKAGE, NPM_VERSION, PRIMED_PACKAGES, RECIPE_VERSION } from './pins.ts';
import { BASHRC_LINE, systemFiles } from './system-files.ts';

/** What the system layer is made from. */
export type SystemInputs = { readonly distribution: Distribution; readonly sources: readonly AptSource[]; readonly trust: HostTrust; readonly registry: string };

/** Folder of the layer with the kernel and its modules; not part of the guest's tree. */
export const KERNEL_DIR = 'vessel-kernel';

/** Run inside the new tree as root. `$1` there is the folder of inputs. */
export function systemScript(kernel: string): string {
  const { name, uid, gid, home } = GUEST_USER;
  return [
    'set -eu',
    'in=$1',
    'echo "VESSEL 50 unpacking the kernel"',
    `mkdir -p /tmp/kernel && chmod 777 /tmp/kernel && cd /tmp/kernel`,
    // The package asked for is a pointer to the one with the current version.
    `real=$(apt-cache depends --no-recommends --no-suggests ${kernel} | sed -n 's/^ *Depends: \\(linux-\\(image\\|modules\\)-[0-9].*\\)$/\\1/p')`,
    `more=$(apt-cache depends --no-recommends --no-suggests $real | sed -n 's/^ *Depends: \\(linux-modules-[0-9].*\\)$/\\1/p' | sort -u)`,
    'apt-get download $real $more',
    `for deb in *.deb; do dpkg-deb -x "$deb" /${KERNEL_DIR}; done`,
    `version=$(ls /${KERNEL_DIR}/lib/modules)`,
    `depmod -b /${KERNEL_DIR} "$version"`,
    'cd / && rm -rf /tmp/kernel',

    'echo "VESSEL 60 installing Node and npm"',
    'install -m 755 $in/node/bin/node /usr/local/bin/node',
    'mkdir -p /usr/local/lib/node_modules && cp -r $in/npm /usr/local/lib/node_modules/npm',
    'chmod 755 /usr/local/lib/node_modules/npm/bin/*.js',
    'ln -sf ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm',
    'ln -sf ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx',

    'echo "VESSEL 65 making the user"',
    `groupadd --gid ${gid} ${name}`,
    `useradd --uid ${uid} --gid ${gid} --home-dir ${home} --no-create-home --shell /bin/bash ${name}`,
    `install -d -m 755 -o ${uid} -g ${gid} ${home} ${home}/.local ${home}/.local/bin ${home}/.local/share ${home}/.cache ${home}/.config ${WORKSPACE_DIR}`,
    `for file in .bashrc .profile; do install -m 644 -o ${uid} -g ${gid} /etc/skel/$file ${home}/$file; done`,

    'echo "VESSEL 70 writing the configuration"',
    'cp -r $in/files/. /',
    'cat $in/bashrc >> /etc/bash.bashrc',
    `if [ -s $in/ca.pem ]; then update-ca-certificates >/dev/null 2>&1 || true; cp $in/ca.pem ${CA_BUNDLE}; fi`,
    `cp $in/ca-node.pem ${CA_FOR_NODE}`,
    `install -D -m 755 /bin/busybox ${VESSEL_LIB}/busybox`,
    // PID 1: the smallest that reaps, restarts and ends a machine.
    `ln -sf ${VESSEL_LIB}/busybox /sbin/init`,
    'ln -sf /proc/self/mounts /etc/mtab',

    'echo "VESSEL 75 filling the npm cache"',
    'mkdir -p /tmp/prime && cp $in/prime.json /tmp/prime/package.json',
    `chown -R ${uid}:${gid} /tmp/prime`,
    'cd /tmp/prime',
    `setpriv --reuid ${uid} --regid ${gid} --clear-groups env HOME=${home} NODE_EXTRA_CA_CERTS=${CA_FOR_NODE} PATH=/usr/local/bin:/usr/bin:/bin npm install --ignore-scripts`,
    `cd / && rm -rf /tmp/prime ${home}/.npm/_logs`,

    'echo "VESSEL 85 trimming"',
    'apt-get clean',
    'rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/log/* /tmp/* /usr/share/perl5/Pod /usr/local/lib/node_modules/npm/man /usr/local/lib/node_modules/npm/docs',
    'dpkg-query -W > /etc/vessel/packages.txt',
  ].join('\n') + '\n';
}

export function systemLayerKey(inputs: SystemInputs): string {
  return hashInputs({
    recipe: RECIPE_VERSION, distribution: inputs.distribution, packages: GUEST_PACKAGES, kernel: kernelPackage(inputs.distribution),
    script: systemScript(kernelPackage(inputs.distribution)), node: NODE_PACKAGE, npm: NPM_VERSION, primed: PRIMED_PACKAGES,
    files: systemFiles(inputs.registry), bashrc: BASHRC_LINE, trust: inputs.trust.hash,
  });
}

/** The guest's tree without the IDE and the agent: packages, kernel, Node, npm with a filled cache, user, configuration. About 45 s. */
export async function systemLayer(inputs: SystemInputs, cacheDir: string, root: boolean, onLine: (line: string) => void, signal: AbortSignal | undefined): Promise<Layer> {
  return cachedLayer(cacheDir, 'system', systemLayerKey(inputs), async ({ scratch, output }) => {
    const into = join(scratch, 'in');
    await unpackNpmPackage(NODE_PACKAGE, join(into, 'node'), scratch, signal, onLine);
    await unpackNpmPackage(`npm@${NPM_VERSION}`, join(into, 'npm'), scratch, signal, onLine);
    await writeInputs(into, inputs);
    await bootstrap({
      distribution: inputs.distribution, sources: inputs.sources, packages: GUEST_PACKAGES, output, root,
      hooks: [
        'mkdir -p "$1/tmp/vessel-in" "$1/etc/vessel"',
        `sync-in ${hookPath(into)} /tmp/vessel-in`,
        'chroot "$1" sh /tmp/vessel-in/system.sh /tmp/vessel-in',
      ],
    }, 'Making the guest\'s system', onLine, signal);
  });
}

async function writeInputs(into: string, inputs: SystemInputs): Promise<void> {
  await mkdir(join(into, 'files'), { recursive: true });
  const write = async (path: string, text: string, mode = 0o644): Promise<void> => {
    await mkdir(dirname(join(into, path)), { recursive: true });
    await writeFile(join(into, path), text);
    await chmod(join(into, path), mode);
  };
  for (const file of systemFiles(inputs.registry)) await write(join('files', file.path), file.text, file.mode);
  for (const [name, text] of Object.entries(inputs.trust.local)) await write(join('files/usr/local/share/ca-certificates', name), text);
  await write('bashrc', BASHRC_LINE);
  await write('ca.pem', inputs.trust.bundle);
  await write('ca-node.pem', inputs.trust.extraForNode);
  await write('prime.json', JSON.stringify({ private: true, dependencies: PRIMED_PACKAGES }));
  await write('system.sh', systemScript(kernelPackage(inputs.distribution)));
  // Headers and documentation of Node are for the build root only; the guest gets the program.
  await cp(join(into, 'node', 'LICENSE'), join(into, 'files/usr/local/share/licenses/node/LICENSE'), { recursive: true });
}
