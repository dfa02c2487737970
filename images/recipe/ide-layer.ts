import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { IdeAdapter } from '../ide/adapter.ts';
import type { AptSource } from './apt-sources.ts';
import type { Distribution } from './distribution.ts';
import { fetchVerified } from './fetch-verified.ts';
import type { HostTrust } from './host-trust.ts';
import { cachedLayer, hashInputs } from './layer.ts';
import type { Layer } from './layer.ts';
import { bootstrap, hookPath } from './mmdebstrap.ts';
import { unpackNpmPackage } from './npm-packages.ts';
import { IDE_BUILD_PACKAGES } from './packages.ts';
import { NODE_PACKAGE, NPM_VERSION, RECIPE_VERSION } from './pins.ts';

export type IdeInputs = { readonly distribution: Distribution; readonly sources: readonly AptSource[]; readonly trust: HostTrust; readonly registry: string; readonly ide: IdeAdapter };

/** Inside the build root; the last part is the folder's name in the layer. */
const BUILD = { inputs: '/tmp/vessel-in', target: '/opt/ide' } as const;
export const IDE_DIR = 'ide';

export function ideLayerKey({ distribution, ide }: Pick<IdeInputs, 'distribution' | 'ide'>): string {
  return hashInputs({
    recipe: RECIPE_VERSION, distribution, node: NODE_PACKAGE, npm: NPM_VERSION, packages: IDE_BUILD_PACKAGES,
    ide: { name: ide.name, version: ide.version, inputs: ide.inputs, downloads: ide.downloads, script: ide.buildScript(BUILD) },
  });
}

/** The IDE's tree, built in a throw-away root of the same distribution so that its native modules fit the guest. About two and a half minutes. */
export async function ideLayer(inputs: IdeInputs, cacheDir: string, root: boolean, onLine: (line: string) => void, signal: AbortSignal | undefined): Promise<Layer> {
  return cachedLayer(cacheDir, 'ide', ideLayerKey(inputs), async ({ scratch, output }) => {
    const into = join(scratch, 'in');
    await mkdir(into);
    for (const download of inputs.ide.downloads) await fetchVerified(download, join(into, download.name), signal);
    await unpackNpmPackage(NODE_PACKAGE, join(into, 'node'), scratch, signal, onLine);
    await unpackNpmPackage(`npm@${NPM_VERSION}`, join(into, 'npm'), scratch, signal, onLine);
    await writeFile(join(into, 'ca.pem'), inputs.trust.bundle);
    await writeFile(join(into, 'registry'), inputs.registry);
    await writeFile(join(into, 'build.sh'), inputs.ide.buildScript(BUILD));
    await bootstrap({
      distribution: inputs.distribution, sources: inputs.sources, packages: IDE_BUILD_PACKAGES, output: null, root,
      hooks: [
        `mkdir -p "$1${BUILD.inputs}"`,
        `sync-in ${hookPath(into)} ${BUILD.inputs}`,
        `chroot "$1" sh ${BUILD.inputs}/build.sh`,
        `tar-out ${BUILD.target} ${hookPath(output)}`,
      ],
    }, `Building ${inputs.ide.name} ${inputs.ide.version}`, onLine, signal);
  });
}
