import type { HostProbe } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { DeliveredFile, DeliveredImage, DoctorResult, HostParams, ProvisionResult, RequestedDriver, UnprovisionResult } from '#shared/host-protocol.ts';
import type { HostKeeper } from '../../../ports/host-keeper.ts';
import type { HostRequestOptions } from '../../../ports/host-link.ts';
import type { ConnectOptions, RemoteHost } from '../../../ports/remote-host.ts';
import { AgentLink } from '../../agent-link/agent-link.ts';
import { startRemoteAgent } from '../remote-agent.ts';
import type { SshHostLink } from '../ssh-host-link.ts';
import type { DesktopParts, ImageParcel } from './desktop-parts.ts';
import { examineHost, type DoctorWays } from './examine-host.ts';
import { agentPath, findSystemNode, hasJournal, hasNode, makeStaging, nodeFolder, putAgent, putNode, removePrograms, removeStaging } from './host-shell.ts';
import { isCurrent, readInstalled, type Installed } from './installed.ts';
import { AGENT_ENVIRONMENT, LAUNCHER, PROGRAM_DIR } from './layout.ts';
import { checkPlatform, describeProbe } from './platform.ts';
import type { RootAccess, RootCommand } from './root-access.ts';
import { StepBoard } from './step-board.ts';

export type SshHostKeeperOptions = {
  readonly host: RemoteHost;
  readonly root: RootAccess;
  readonly parts: DesktopParts;
  /** Set once: the link asks the keeper how to start its agent. */
  readonly link: () => SshHostLink;
  readonly ways: DoctorWays;
  readonly log: (line: string) => void;
};

const OWN_STEPS = [
  { id: 'machine', title: 'Connection and machine', weight: 1 },
  { id: 'rights', title: 'Rights of root', weight: 1 },
  { id: 'agent', title: 'infra-agent and Node', weight: 8 },
  { id: 'send-image', title: 'Golden image over the line', weight: 30 },
] as const;
const PROVISION_STAGING = 'provision';
const MEGABYTE = 1_000_000;
const megabytes = (bytes: number): string => `${bytes < 10 * MEGABYTE ? (bytes / MEGABYTE).toFixed(1) : Math.round(bytes / MEGABYTE)} MB`;

/** Everything about a machine over SSH that is not a request to its agent: bringing the agent there, and taking it away. See docs/ssh-hosts.md. */
export class SshHostKeeper implements HostKeeper {
  readonly #options: SshHostKeeperOptions;
  #installing: Promise<unknown> = Promise.resolve();

  constructor(options: SshHostKeeperOptions) { this.#options = options; }

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
      await this.#install(await root.look(), new StepBoard([], undefined), undefined);
    }
    return root.command([LAUNCHER]);
  }

  async plan({ signal, onMessage }: HostRequestOptions, drivers: readonly RequestedDriver[]): Promise<ProvisionResult> {
    const { host, parts } = this.#options;
    const board = new StepBoard(OWN_STEPS, onMessage);
    const probe = await this.#look(board, signal);
    const agent = await parts.agent();
    const installed = await readInstalled(host, signal);
    const image = await parts.image(probe);
    const asked = { dryRun: true, drivers: [...drivers], ...(image === null ? {} : { image: { ...offer(image), path: null } }) };
    let result: ProvisionResult;
    if (installed !== null && isCurrent(installed, { version: parts.version, sha256: agent.sha256 })) {
      board.set('agent', { state: 'present', evidence: `${installed.agentVersion} on ${installed.node}` });
      result = await this.#options.link().request('provision', asked, { ...(signal === undefined ? {} : { signal }), onMessage: board.onMessage });
    } else {
      const node = await findSystemNode(host, signal) ?? await parts.node(probe);
      board.set('agent', { state: 'missing', plan: [
        `copy infra-agent ${parts.version} (${megabytes(agent.bytes)}) to ${PROGRAM_DIR}`,
        ...('path' in node ? [] : [`copy Node ${node.version} (${megabytes(node.estimate)} over the line) to ${nodeFolder(node.version)}`]),
      ] });
      result = await this.#planWithVisitor(probe, asked, board, signal);
    }
    board.theirs(result.steps);
    const lacks = image !== null && result.steps.some(({ id, state }) => id === 'image' && state === 'missing');
    board.set('send-image', lacks ? { state: 'missing', plan: [`send image ${image.key} (about ${megabytes(image.bytes)})`] } : { state: 'skipped', evidence: image === null ? 'this computer has none of the host\'s distribution: the host builds it' : 'not needed' });
    return { status: 'planned', steps: [...board.steps], changed: board.steps.filter(({ plan }) => plan.length > 0).length };
  }

  async provision({ signal, onMessage }: HostRequestOptions, drivers: readonly RequestedDriver[]): Promise<ProvisionResult> {
    const { host, parts } = this.#options;
    const board = new StepBoard(OWN_STEPS, onMessage);
    try {
      const probe = await this.#look(board, signal);
      await this.#install(probe, board, signal);
      const link = this.#options.link();
      const options = signal === undefined ? {} : { signal };
      const image = await parts.image(probe);
      const planned = await link.request('provision', { dryRun: true, drivers: [...drivers], ...(image === null ? {} : { image: { ...offer(image), path: null } }) }, options);
      board.theirs(planned.steps);
      const lacking = planned.steps.some(({ id, state }) => id === 'image' && state === 'missing');
      const sent = image !== null && lacking ? await this.#sendImage(image, board, signal) : null;
      if (sent === null) board.set('send-image', { state: 'skipped', evidence: image === null ? 'the host has or builds one of its own' : 'it is there' });
      const traefik = await this.#sendTraefik(signal);
      const driverFiles = drivers.length === 0 ? [] : await this.#sendDriverFiles(signal);
      const result = await link.request('provision', {
        drivers: [...drivers], driverFiles: [...driverFiles],
        ...(sent !== null ? { image: sent } : image === null ? {} : { image: { ...offer(image), path: null } }), ...(traefik === null ? {} : { traefik }),
      }, { ...options, onMessage: board.onMessage });
      board.theirs(result.steps);
      await removeStaging(host, PROVISION_STAGING);
      return { ...result, steps: [...board.steps], changed: result.changed + board.changed };
    } catch (error) {
      board.fail(VesselError.from(error).message);
      throw error;
    }
  }

  async unprovision({ signal, onMessage }: HostRequestOptions): Promise<UnprovisionResult> {
    const { host, root } = this.#options;
    const board = new StepBoard(OWN_STEPS.slice(0, 2), onMessage);
    const probe = await this.#look(board, signal);
    let result: UnprovisionResult = { status: 'success', removed: [], kept: [] };
    const installed = await readInstalled(host, signal);
    if (installed !== null || await hasJournal(root, signal)) {
      // Only an agent knows how to read the journal.
      if (installed === null) await this.#install(probe, board, signal);
      result = await this.#options.link().request('unprovision', { dryRun: false }, { ...(signal === undefined ? {} : { signal }), onMessage: board.onMessage });
    }
    await removeStaging(host, PROVISION_STAGING);
    if (result.kept.length > 0) return result;
    await this.#options.link().release();
    await removePrograms(root);
    return { ...result, removed: [...result.removed, `programs: ${PROGRAM_DIR}`] };
  }

  doctor({ signal }: HostRequestOptions): Promise<DoctorResult> {
    const { host, root, parts, ways } = this.#options;
    return examineHost({ host, root, parts, link: this.#options.link(), ways, signal });
  }

  /** Connects and looks what the machine is. Throws HOST_UNSUPPORTED with the reason. */
  async #look(board: StepBoard, signal: AbortSignal | undefined): Promise<HostProbe> {
    const { host, root } = this.#options;
    board.set('machine', { state: 'running' });
    await host.connect({ prompter: null, acceptHostKeys: [], ...(signal === undefined ? {} : { signal }) });
    const probe = await root.look(signal);
    checkPlatform(probe);
    board.set('machine', { state: 'present', evidence: describeProbe(probe) });
    board.set('rights', { state: 'running' });
    await root.authorize(null, signal);
    board.set('rights', { state: 'present', evidence: probe.sudo === 'root' ? 'logged in as root' : `sudo as ${probe.user}${probe.sudo === 'password' ? ' with the password that was given' : ' without a password'}` });
    return probe;
  }

  /** Brings agent and Node to the host, unless both are there. One at a time. */
  #install(probe: HostProbe, board: StepBoard, signal: AbortSignal | undefined): Promise<Installed> {
    const work = this.#installing.catch(() => undefined).then(() => this.#installNow(probe, board, signal));
    this.#installing = work;
    return work;
  }

  async #installNow(probe: HostProbe, board: StepBoard, signal: AbortSignal | undefined): Promise<Installed> {
    const { host, root, parts, link } = this.#options;
    const agent = await parts.agent();
    const before = await readInstalled(host, signal);
    if (before !== null && isCurrent(before, { version: parts.version, sha256: agent.sha256 }) && await this.#starts(signal)) {
      board.set('agent', { state: 'present', evidence: `${before.agentVersion} on ${before.node}` });
      return before;
    }
    board.set('agent', { state: 'running', progress: 0, evidence: 'sending' });
    const staging = await makeStaging(host, PROVISION_STAGING, signal);
    const system = await findSystemNode(host, signal);
    let node = system?.path ?? null;
    if (node === null) {
      const parcel = await parts.node(probe);
      node = `${nodeFolder(parcel.version)}/node`;
      if (!await hasNode(host, parcel.version, signal)) {
        board.set('agent', { evidence: `packing Node ${parcel.version}` });
        const packed = await parcel.pack(signal);
        await this.#send(packed, `${staging}/node.gz`, (fraction) => board.set('agent', { progress: fraction * 0.9, evidence: `Node ${parcel.version}: ${megabytes(packed.bytes * fraction)} of ${megabytes(packed.bytes)}` }), signal);
        await putNode(root, `${staging}/node.gz`, packed.unpackedSha256, parcel.version, signal);
      }
    }
    await this.#send(agent, `${staging}/infra-agent.mjs`, (fraction) => board.set('agent', { progress: 0.9 + fraction * 0.1 }), signal);
    const installed: Installed = { agentVersion: parts.version, agentSha256: agent.sha256, agent: agentPath(parts.version, agent.sha256), node };
    await link().release();
    await putAgent(root, `${staging}/infra-agent.mjs`, installed, signal);
    board.set('agent', { state: 'done', progress: 1, evidence: `${installed.agentVersion} on ${node}` });
    return installed;
  }

  async #starts(signal: AbortSignal | undefined): Promise<boolean> {
    return (await this.#options.host.run([LAUNCHER, '--version'], signal === undefined ? {} : { signal })).code === 0;
  }

  /** Asks an agent that visits for the one question: it lies in a folder of its own and goes with it. */
  async #planWithVisitor(probe: HostProbe, asked: HostParams<'provision'>, board: StepBoard, signal: AbortSignal | undefined): Promise<ProvisionResult> {
    const { host, root, parts, log } = this.#options;
    const name = `plan-${process.pid}-${Date.now()}`;
    const folder = await makeStaging(host, name, signal);
    const agent = new AgentLink({
      start: () => startRemoteAgent(host, async () => root.command(['env', ...Object.entries(AGENT_ENVIRONMENT).map(([key, value]) => `${key}=${value}`), await node, `${folder}/infra-agent.mjs`], signal)),
      revives: () => false, log,
    });
    const node = this.#visitingNode(probe, folder, signal);
    try {
      await node;
      await this.#send(await parts.agent(), `${folder}/infra-agent.mjs`, () => undefined, signal);
      return await agent.request('provision', asked, { ...(signal === undefined ? {} : { signal }), onMessage: board.onMessage });
    } finally {
      await agent.dispose();
      await removeStaging(host, name);
    }
  }

  async #visitingNode(probe: HostProbe, folder: string, signal: AbortSignal | undefined): Promise<string> {
    const { host, parts } = this.#options;
    const system = await findSystemNode(host, signal);
    if (system !== null) return system.path;
    const packed = await (await parts.node(probe)).pack(signal);
    await this.#send(packed, `${folder}/node.gz`, () => undefined, signal);
    const { code, stderr } = await host.run(['sh', '-c', 'cd "$1" && gzip -d < node.gz > node && rm node.gz && chmod 755 node && ./node --version', 'sh', folder], signal === undefined ? {} : { signal });
    if (code !== 0) throw new VesselError('PROVISION_FAILED', `Node does not run from ${folder}: ${stderr.trim()}`, { hint: 'Allow programs to run from there, or install Node 24 on the host as /usr/bin/node.' });
    return `${folder}/node`;
  }

  async #sendImage(image: ImageParcel, board: StepBoard, signal: AbortSignal | undefined): Promise<DeliveredImage & { readonly path: string }> {
    board.set('send-image', { state: 'running', progress: 0, evidence: 'packing the image' });
    const packed = await image.pack(signal);
    const staging = await makeStaging(this.#options.host, PROVISION_STAGING, signal);
    const path = `${staging}/image-${image.key}.tar.zst`;
    await this.#send(packed, path, (fraction) => board.set('send-image', { progress: fraction, evidence: `${megabytes(packed.bytes * fraction)} of ${megabytes(packed.bytes)}` }), signal);
    board.set('send-image', { state: 'done', progress: 1, evidence: `image ${image.key}, ${megabytes(packed.bytes)}` });
    return { key: image.key, bytes: packed.bytes, sha256: packed.sha256, path };
  }

  async #sendTraefik(signal: AbortSignal | undefined): Promise<DeliveredFile | null> {
    const program = await this.#options.parts.traefik();
    if (program === null) return null;
    const path = `${await makeStaging(this.#options.host, PROVISION_STAGING, signal)}/traefik`;
    await this.#send(program, path, () => undefined, signal);
    return { path, sha256: program.sha256 };
  }

  async #sendDriverFiles(signal: AbortSignal | undefined): Promise<readonly DeliveredFile[]> {
    const staging = await makeStaging(this.#options.host, PROVISION_STAGING, signal);
    const sent: DeliveredFile[] = [];
    for (const file of await this.#options.parts.driverFiles()) {
      const path = `${staging}/${file.name}`;
      await this.#send(file, path, () => undefined, signal);
      sent.push({ path, sha256: file.sha256 });
    }
    return sent;
  }

  async #send(parcel: { readonly path: string; readonly bytes: number; readonly sha256: string }, path: string, onFraction: (fraction: number) => void, signal: AbortSignal | undefined): Promise<void> {
    await this.#options.host.upload(parcel.path, path, {
      sha256: parcel.sha256, bytes: parcel.bytes, mode: 0o600, ...(signal === undefined ? {} : { signal }),
      onProgress: (bytes) => onFraction(parcel.bytes === 0 ? 1 : bytes / parcel.bytes),
    });
  }
}

const offer = ({ key, bytes, sha256 }: ImageParcel): Omit<DeliveredImage, 'path'> => ({ key, bytes, sha256 });
