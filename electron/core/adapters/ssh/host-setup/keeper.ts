import type { HostProbe } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { DeliveredFile, DeliveredImage, DoctorResult, HostParams, ProvisionResult, RequestedDriver, UnprovisionResult } from '#shared/host-protocol.ts';
import type { HostKeeper } from '../../../ports/host-keeper.ts';
import type { HostRequestOptions } from '../../../ports/host-link.ts';
import type { ConnectOptions, RemoteHost } from '../../../ports/remote-host.ts';
import { AgentLink } from '../../agent-link/agent-link.ts';
import { startRemoteAgent } from '../remote-agent.ts';
import type { SshHostLink } from '../ssh-host-link.ts';
import { AgentInstaller, megabytes, PROVISION_STAGING, send, withSignal } from './agent-installer.ts';
import type { DesktopParts, ImageParcel } from './desktop-parts.ts';
import { examineHost, type DoctorWays } from './examine-host.ts';
import { findSystemNode, hasJournal, makeStaging, nodeFolder, removePrograms, removeStaging } from './host-shell.ts';
import { isCurrent, readInstalled } from './installed.ts';
import { LAUNCHER, PROGRAM_DIR } from './layout.ts';
import { checkPlatform, describeProbe } from './platform.ts';
import type { RootAccess, RootCommand } from './root-access.ts';
import { StepBoard } from './step-board.ts';

export type SshHostKeeperOptions = {
  readonly host: RemoteHost;
  readonly root: RootAccess;
  readonly parts: DesktopParts;
  /** The link asks the keeper how to start its agent, and the keeper asks the link for that agent's answers. */
  readonly link: () => SshHostLink;
  readonly ways: DoctorWays;
  readonly log: (line: string) => void;
};

const OWN_STEPS = [
  { id: 'machine', title: 'Connection and machine', weight: 1 },
  { id: 'rights', title: 'Rights of root', weight: 1 },
  { id: 'agent', title: 'infra-agent and Node', weight: 8 },
  { id: 'send-image', title: 'Send the golden image', weight: 30 },
] as const;

/** Everything about a machine over SSH that is not a request to its agent: bringing the agent there, and taking it away. See docs/ssh-hosts.md. */
export class SshHostKeeper implements HostKeeper {
  readonly #options: SshHostKeeperOptions;
  readonly #installer: AgentInstaller;

  constructor(options: SshHostKeeperOptions) {
    this.#options = options;
    const { host, root, parts } = options;
    this.#installer = new AgentInstaller({ host, root, parts });
  }

  async authorize(options: ConnectOptions): Promise<void> {
    await this.#options.host.connect(options);
    await this.#options.root.authorize(options.prompter, options.signal);
  }

  /** How the agent is started. One of another Vessel is replaced first: nothing of this Vessel runs in it then. Throws HOST_NOT_READY, HOST_VERSION. */
  async agentCommand(): Promise<RootCommand> {
    const { host, root, parts, log } = this.#options;
    const installed = await readInstalled(host);
    if (installed === null) throw new VesselError('HOST_NOT_READY', `${host.hostId} is not provisioned yet`, { hint: `Provision the host first: \`vessel host provision ${host.hostId}\`.` });
    if (!isCurrent(installed, { version: parts.version, sha256: (await parts.agent()).sha256 })) {
      log(`infra-agent ${installed.agentVersion} on the host is replaced by ${parts.version}`);
      // It is the link that asks: nothing runs that would have to go.
      await this.#installer.install(await root.look(), () => undefined, undefined, () => Promise.resolve());
      await removeStaging(host, PROVISION_STAGING);
    }
    return root.command([LAUNCHER]);
  }

  async plan({ signal, onMessage }: HostRequestOptions, drivers: readonly RequestedDriver[]): Promise<ProvisionResult> {
    const { host, parts, link } = this.#options;
    const board = new StepBoard(OWN_STEPS, onMessage);
    const probe = await this.#look(board, signal);
    const installed = await this.#installer.current(signal);
    const image = await parts.image(probe);
    const asked = await this.#question(drivers, image);
    const options = { ...withSignal(signal), onMessage: board.onMessage };
    let result: ProvisionResult;
    if (installed !== null) {
      board.set('agent', { state: 'present', evidence: `${installed.agentVersion} on ${installed.node}` });
      result = await link().request('provision', asked, options);
    } else {
      const node = await findSystemNode(host, signal) ?? await parts.node(probe);
      board.set('agent', { plan: [
        `copy infra-agent ${parts.version} (${megabytes((await parts.agent()).bytes)}) to ${PROGRAM_DIR}`,
        ...('path' in node ? [] : [`copy Node ${node.version} (${megabytes(node.estimate)} over the line) to ${nodeFolder(node.version)}`]),
      ] });
      result = await this.#askVisitor(probe, asked, options);
    }
    board.theirs(result.steps);
    if (image !== null && lacksImage(result)) board.set('send-image', { plan: [`send image ${image.key} (about ${megabytes(image.bytes)})`] });
    else board.set('send-image', { state: 'skipped', evidence: image === null ? 'this computer has none of the host\'s distribution: the host builds it' : 'not needed' });
    return { status: 'planned', steps: [...board.steps], changed: board.steps.filter(({ plan }) => plan.length > 0).length };
  }

  async provision({ signal, onMessage }: HostRequestOptions, drivers: readonly RequestedDriver[]): Promise<ProvisionResult> {
    const { host, parts } = this.#options;
    const board = new StepBoard(OWN_STEPS, onMessage);
    try {
      const probe = await this.#look(board, signal);
      await this.#installer.install(probe, (change) => board.set('agent', change), signal, () => this.#options.link().release());
      const link = this.#options.link();
      const image = await parts.image(probe);
      const planned = await link.request('provision', await this.#question(drivers, image), withSignal(signal));
      board.theirs(planned.steps);
      const sent = image !== null && lacksImage(planned) ? await this.#sendImage(image, board, signal) : null;
      if (sent === null) board.set('send-image', { state: 'skipped', evidence: image === null ? 'the host has or builds one of its own' : 'it is there' });
      const traefik = await this.#sendTraefik(signal);
      const result = await link.request('provision', {
        drivers: [...drivers], driverFiles: drivers.length === 0 ? [] : await this.#sendDriverFiles(signal),
        ...(sent === null ? offered(image) : { image: sent }), ...(traefik === null ? {} : { traefik }),
      }, { ...withSignal(signal), onMessage: board.onMessage });
      board.theirs(result.steps);
      await removeStaging(host, PROVISION_STAGING);
      return { ...result, steps: [...board.steps], changed: result.changed + board.changed };
    } catch (error) {
      board.fail(VesselError.from(error).message);
      throw error;
    }
  }

  async unprovision({ signal, onMessage }: HostRequestOptions): Promise<UnprovisionResult> {
    const { host, root, link } = this.#options;
    const board = new StepBoard(OWN_STEPS.slice(0, 2), onMessage);
    const probe = await this.#look(board, signal);
    let result: UnprovisionResult = { status: 'success', removed: [], kept: [] };
    const installed = await readInstalled(host, signal);
    if (installed !== null || await hasJournal(root, signal)) {
      // Only an agent knows how to read the journal.
      if (installed === null) await this.#installer.install(probe, () => undefined, signal, () => link().release());
      result = await link().request('unprovision', { dryRun: false }, { ...withSignal(signal), onMessage: board.onMessage });
    }
    await removeStaging(host, PROVISION_STAGING);
    if (result.kept.length > 0) return result;
    await link().release();
    await removePrograms(root);
    return { ...result, removed: [...result.removed, `programs: ${PROGRAM_DIR}`] };
  }

  doctor({ signal }: HostRequestOptions): Promise<DoctorResult> {
    const { host, root, parts, ways, link } = this.#options;
    return examineHost({ host, root, parts, link: link(), ways, signal });
  }

  /** Connects and looks what the machine is. Throws HOST_UNSUPPORTED with the reason, SUDO_…. */
  async #look(board: StepBoard, signal: AbortSignal | undefined): Promise<HostProbe> {
    const { host, root } = this.#options;
    board.set('machine', { state: 'running' });
    await host.connect({ prompter: null, acceptHostKeys: [], ...withSignal(signal) });
    const probe = await root.look(signal);
    checkPlatform(probe);
    board.set('machine', { state: 'present', evidence: describeProbe(probe) });
    board.set('rights', { state: 'running' });
    await root.authorize(null, signal);
    board.set('rights', { state: 'present', evidence: probe.sudo === 'root' ? 'logged in as root' : `sudo as ${probe.user}${probe.sudo === 'password' ? ' with the password that was given' : ' without a password'}` });
    return probe;
  }

  /** A plan is asked with what would be sent; only a provisioning reads the files. */
  async #question(drivers: readonly RequestedDriver[], image: ImageParcel | null): Promise<HostParams<'provision'>> {
    const { parts } = this.#options;
    const [traefik, files] = await Promise.all([parts.traefik(), drivers.length === 0 ? [] : parts.driverFiles()]);
    return {
      dryRun: true, drivers: [...drivers], driverFiles: files.map(({ name, sha256 }) => ({ path: name, sha256 })),
      ...offered(image), ...(traefik === null ? {} : { traefik: { path: 'traefik', sha256: traefik.sha256 } }),
    };
  }

  #askVisitor(probe: HostProbe, asked: HostParams<'provision'>, options: HostRequestOptions): Promise<ProvisionResult> {
    const { host, log } = this.#options;
    return this.#installer.visit(probe, options.signal, async (command) => {
      const agent = new AgentLink({ start: () => startRemoteAgent(host, command), revives: () => false, log });
      try {
        return await agent.request('provision', asked, options);
      } finally {
        await agent.dispose();
      }
    });
  }

  async #sendImage(image: ImageParcel, board: StepBoard, signal: AbortSignal | undefined): Promise<DeliveredImage> {
    const { host } = this.#options;
    board.set('send-image', { state: 'running', progress: 0, evidence: 'packing the image' });
    const packed = await image.pack(signal);
    const path = `${await makeStaging(host, PROVISION_STAGING, signal)}/image-${image.key}.tar.zst`;
    await send(host, packed, path, (fraction) => board.set('send-image', { progress: fraction, evidence: `${megabytes(packed.bytes * fraction)} of ${megabytes(packed.bytes)}` }), signal);
    board.set('send-image', { state: 'done', progress: 1, evidence: `image ${image.key}, ${megabytes(packed.bytes)}` });
    return { key: image.key, bytes: packed.bytes, sha256: packed.sha256, path };
  }

  async #sendTraefik(signal: AbortSignal | undefined): Promise<DeliveredFile | null> {
    const { host, parts } = this.#options;
    const program = await parts.traefik();
    if (program === null) return null;
    const path = `${await makeStaging(host, PROVISION_STAGING, signal)}/traefik`;
    await send(host, program, path, () => undefined, signal);
    return { path, sha256: program.sha256 };
  }

  async #sendDriverFiles(signal: AbortSignal | undefined): Promise<DeliveredFile[]> {
    const { host, parts } = this.#options;
    const staging = await makeStaging(host, PROVISION_STAGING, signal);
    const sent: DeliveredFile[] = [];
    for (const file of await parts.driverFiles()) {
      await send(host, file, `${staging}/${file.name}`, () => undefined, signal);
      sent.push({ path: `${staging}/${file.name}`, sha256: file.sha256 });
    }
    return sent;
  }
}

/** What a plan is told of an image that is not sent yet. */
function offered(image: ImageParcel | null): { readonly image?: DeliveredImage } {
  return image === null ? {} : { image: { key: image.key, bytes: image.bytes, sha256: image.sha256, path: null } };
}

const lacksImage = ({ steps }: ProvisionResult): boolean => steps.some(({ id, state, plan }) => id === 'image' && state === 'missing' && plan.some((change) => change.startsWith('receive')));
