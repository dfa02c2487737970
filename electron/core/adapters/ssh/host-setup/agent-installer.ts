import type { HostProbe } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { HostStep } from '#shared/host-protocol.ts';
import type { RemoteHost } from '../../../ports/remote-host.ts';
import type { DesktopParts } from './desktop-parts.ts';
import { agentPath, findSystemNode, hasNode, makeStaging, nodeFolder, putAgent, putNode, removeStaging } from './host-shell.ts';
import { isCurrent, readInstalled, type Installed } from './installed.ts';
import { AGENT_ENVIRONMENT, LAUNCHER } from './layout.ts';
import type { Parcel } from './pack.ts';
import type { RootAccess, RootCommand } from './root-access.ts';

export type AgentInstallerOptions = {
  readonly host: RemoteHost;
  readonly root: RootAccess;
  readonly parts: DesktopParts;
};
type Tell = (change: Partial<HostStep>) => void;

export const PROVISION_STAGING = 'provision';
const MEGABYTE = 1_000_000;
export const megabytes = (bytes: number): string => `${bytes < 10 * MEGABYTE ? (bytes / MEGABYTE).toFixed(1) : Math.round(bytes / MEGABYTE)} MB`;
export const withSignal = (signal: AbortSignal | undefined): { readonly signal?: AbortSignal } => signal === undefined ? {} : { signal };

/** Sends a file, resumably. */
export async function send(host: RemoteHost, parcel: Parcel, path: string, onFraction: (fraction: number) => void, signal: AbortSignal | undefined): Promise<void> {
  await host.upload(parcel.path, path, {
    sha256: parcel.sha256, bytes: parcel.bytes, mode: 0o600, ...withSignal(signal),
    onProgress: (bytes) => onFraction(parcel.bytes === 0 ? 1 : bytes / parcel.bytes),
  });
}

/** Brings infra-agent, and a Node for it, to a host: to stay, or for a visit. */
export class AgentInstaller {
  readonly #options: AgentInstallerOptions;
  #installing: Promise<unknown> = Promise.resolve();

  constructor(options: AgentInstallerOptions) { this.#options = options; }

  /** What is there when it is this Vessel's own, else null. Throws HOST_VERSION when it is newer. */
  async current(signal: AbortSignal | undefined): Promise<Installed | null> {
    const { host, parts } = this.#options;
    const installed = await readInstalled(host, signal);
    return installed !== null && isCurrent(installed, { version: parts.version, sha256: (await parts.agent()).sha256 }) ? installed : null;
  }

  /** Puts both in their place unless they are there, one caller at a time; `release` lets an agent that runs go first. Throws HOST_UNSUPPORTED, HOST_VERSION, DISK_FULL, SUDO_…. */
  install(probe: HostProbe, tell: Tell, signal: AbortSignal | undefined, release: () => Promise<void>): Promise<Installed> {
    // How the one before ended is for whoever asked for it.
    const work = this.#installing.catch(() => undefined).then(() => this.#install(probe, tell, signal, release));
    this.#installing = work;
    return work;
  }

  async #install(probe: HostProbe, tell: Tell, signal: AbortSignal | undefined, release: () => Promise<void>): Promise<Installed> {
    const { host, root, parts } = this.#options;
    const before = await this.current(signal);
    if (before !== null && (await host.run([LAUNCHER, '--version'], withSignal(signal))).code === 0) {
      tell({ state: 'present', evidence: `${before.agentVersion} on ${before.node}` });
      return before;
    }
    tell({ state: 'running', progress: 0, evidence: 'sending' });
    const staging = await makeStaging(host, PROVISION_STAGING, signal);
    const node = (await findSystemNode(host, signal))?.path ?? await this.#installNode(probe, staging, tell, signal);
    const agent = await parts.agent();
    await send(host, agent, `${staging}/infra-agent.mjs`, (fraction) => tell({ progress: 0.9 + fraction * 0.1 }), signal);
    const installed: Installed = { agentVersion: parts.version, agentSha256: agent.sha256, agent: agentPath(parts.version, agent.sha256), node };
    await release();
    await putAgent(root, `${staging}/infra-agent.mjs`, installed, signal);
    tell({ state: 'done', progress: 1, evidence: `${installed.agentVersion} on ${node}` });
    return installed;
  }

  async #installNode(probe: HostProbe, staging: string, tell: Tell, signal: AbortSignal | undefined): Promise<string> {
    const { host, root, parts } = this.#options;
    const { version, pack } = await parts.node(probe);
    if (!await hasNode(host, version, signal)) {
      tell({ evidence: `packing Node ${version}` });
      const packed = await pack(signal);
      await send(host, packed, `${staging}/node.gz`, (fraction) => tell({ progress: fraction * 0.9, evidence: `Node ${version}: ${megabytes(packed.bytes * fraction)} of ${megabytes(packed.bytes)}` }), signal);
      await putNode(root, `${staging}/node.gz`, packed.unpackedSha256, version, signal);
    }
    return `${nodeFolder(version)}/node`;
  }

  /** Runs `work` with an agent that lies in a folder of its own and goes with the answer. */
  async visit<T>(probe: HostProbe, signal: AbortSignal | undefined, work: (command: () => Promise<RootCommand>) => Promise<T>): Promise<T> {
    const { host, root, parts } = this.#options;
    const name = `plan-${process.pid}-${Date.now()}`;
    const folder = await makeStaging(host, name, signal);
    try {
      const node = (await findSystemNode(host, signal))?.path ?? await this.#visitingNode(probe, folder, signal);
      await send(host, await parts.agent(), `${folder}/infra-agent.mjs`, () => undefined, signal);
      return await work(() => root.command(['env', ...Object.entries(AGENT_ENVIRONMENT).map(([key, value]) => `${key}=${value}`), node, `${folder}/infra-agent.mjs`], signal));
    } finally {
      await removeStaging(host, name);
    }
  }

  async #visitingNode(probe: HostProbe, folder: string, signal: AbortSignal | undefined): Promise<string> {
    const { host, parts } = this.#options;
    const packed = await (await parts.node(probe)).pack(signal);
    await send(host, packed, `${folder}/node.gz`, () => undefined, signal);
    const { code, stderr } = await host.run(['sh', '-c', 'cd "$1" && gzip -d < node.gz > node && rm node.gz && chmod 755 node && ./node --version', 'sh', folder], withSignal(signal));
    if (code !== 0) throw new VesselError('PROVISION_FAILED', `Node does not run from ${folder}: ${stderr.trim()}`, { hint: 'Allow programs to run from there, or install Node 24 on the host as /usr/bin/node.' });
    return `${folder}/node`;
  }
}
