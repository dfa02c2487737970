import { createHash } from 'node:crypto';
import type { IdeAdapter } from '../ide/adapter.ts';
import { agentConfig } from './agent-config.ts';
import { readAptSources } from './apt-sources.ts';
import type { AptSource } from './apt-sources.ts';
import { KERNEL_COMMAND_LINE } from './boot-arguments.ts';
import { readDistribution } from './distribution.ts';
import type { Distribution } from './distribution.ts';
import { readHostTrust } from './host-trust.ts';
import type { HostTrust } from './host-trust.ts';
import { ideLayerKey } from './ide-layer.ts';
import { initramfsInit } from './init-script.ts';
import { hashInputs } from './layer.ts';
import { hostRegistry } from './npm-packages.ts';
import { INITRD_MODULES } from './packages.ts';
import { LEAN_MANIFESTS } from './lean-manifests.ts';
import { quickServerInputs } from './quick-server.ts';
import { quickWorkbenchInputs } from './quick-workbench.ts';
import { RECIPE_VERSION } from './pins.ts';
import { topFiles } from './root-image.ts';
import { systemLayerKey } from './system-layer.ts';

/** Everything that decides what a golden image holds. */
export type ImageInputs = {
  readonly distribution: Distribution;
  readonly sources: readonly AptSource[];
  readonly trust: HostTrust;
  readonly registry: string;
  readonly ide: IdeAdapter;
  readonly guestAgentSource: string;
};

/** Reads what the host contributes. Throws HOST_UNSUPPORTED or PROVISION_FAILED. */
export async function readImageInputs(ide: IdeAdapter, guestAgentSource: string): Promise<ImageInputs> {
  const distribution = await readDistribution();
  const [sources, trust, registry] = await Promise.all([readAptSources(distribution), readHostTrust(), hostRegistry()]);
  return { distribution, sources, trust, registry, ide, guestAgentSource };
}

/**
 * The name of the image that these inputs make: a hash of contents, never of paths or addresses. Two hosts with the same
 * distribution, trust and Vessel have the same key.
 */
export function goldenImageKey(inputs: ImageInputs): string {
  return hashInputs({
    recipe: RECIPE_VERSION,
    system: systemLayerKey(inputs),
    ide: ideLayerKey(inputs),
    init: initramfsInit(),
    modules: INITRD_MODULES,
    manifests: LEAN_MANIFESTS,
    server: quickServerInputs(),
    workbench: quickWorkbenchInputs(),
    commandLine: KERNEL_COMMAND_LINE,
    static: [inputs.ide.staticPrefixes(''), inputs.ide.staticAbsent, inputs.ide.remoteResourcePath('')],
    top: topFiles(inputs.ide, createHash('sha256').update(inputs.guestAgentSource).digest('hex'), agentConfig(inputs.ide, null)),
  });
}
