import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { VesselError } from '#shared/errors.ts';
import type { DoctorResult, Vm } from '#shared/host-protocol.ts';
import type { HostLink } from '../../../ports/host-link.ts';
import type { RemoteHost } from '../../../ports/remote-host.ts';
import type { DesktopParts } from './desktop-parts.ts';
import { isCurrent, readInstalled } from './installed.ts';
import { checkPlatform } from './platform.ts';
import type { RootAccess } from './root-access.ts';

type Check = DoctorResult['checks'][number];
type Finding = Pick<Check, 'state' | 'evidence' | 'fix'>;

export type DoctorWays = {
  /** The first machine on the way, which this computer dials itself, and how many follow. */
  readonly firstHop: () => Promise<{ readonly host: string; readonly port: number; readonly further: number; /** A ProxyCommand carries the connection, and looks the name up itself. */ readonly byCommand: boolean }>;
  /** Opens and closes a TCP connection to it; gives what the server says first. */
  readonly greet: (host: string, port: number, signal: AbortSignal) => Promise<string>;
  /** Asks the agent inside an environment, through the tunnel. Throws GUEST_…. */
  readonly askGuest: (vm: Vm, signal: AbortSignal) => Promise<{ readonly ideReady: boolean }>;
};

export type ExamineOptions = {
  readonly host: RemoteHost;
  readonly root: RootAccess;
  readonly parts: DesktopParts;
  readonly link: HostLink;
  readonly ways: DoctorWays;
  readonly signal: AbortSignal | undefined;
};

const fine = (evidence: string): Finding => ({ state: 'ok', evidence, fix: null });
const worry = (evidence: string, fix: string): Finding => ({ state: 'warn', evidence, fix });
const notReached = (why: string): Finding => ({ state: 'skipped', evidence: why, fix: null });

const GIGABYTE = 1_000_000_000;
const DISK_WANTED_BYTES = 5 * GIGABYTE;
const DEADLINE_MS = 120_000;
const SEEN_FROM_OUTSIDE: readonly string[] = ['Distribution and processor', 'Memory and disk', 'Free disk'];

/**
 * The stages between this computer and an environment on a host, in order: name, TCP, host key, login, rights, machine, agent, what the
 * agent itself finds, forwarding, route, IDE. What a failed stage makes impossible is skipped, so that the first fix is the one to do.
 */
export async function examineHost({ host, root, parts, link, ways, signal: given }: ExamineOptions): Promise<DoctorResult> {
  const signal = given === undefined ? AbortSignal.timeout(DEADLINE_MS) : AbortSignal.any([given, AbortSignal.timeout(DEADLINE_MS)]);
  const checks: Check[] = [];
  let stopped: string | null = null;
  const stage = async (name: string, look: () => Promise<Finding>, needed = true): Promise<void> => {
    const started = performance.now();
    const finding: Finding = stopped !== null ? notReached(`not looked at: ${stopped}`) : await look().catch((error: unknown) => {
      const known = VesselError.from(error);
      return { state: 'fail' as const, evidence: `${known.code}: ${known.message}`, fix: known.hint };
    });
    checks.push({ stage: name, ...finding, ms: Math.round(performance.now() - started) });
    if (needed && finding.state === 'fail') stopped ??= `${name} fails`;
  };

  await stage('Name', async () => {
    const { host: name, further, byCommand } = await ways.firstHop();
    if (byCommand) return fine(`${name} is reached by a ProxyCommand${further > 0 ? `, ${further} more on the way` : ''}`);
    if (isIP(name) !== 0) return fine(`${name} is an address${further > 0 ? `, ${further} more on the way` : ''}`);
    const { address } = await lookup(name).catch((error: unknown) => { throw new VesselError('SSH_NAME_NOT_RESOLVED', `${name} is not known`, { cause: error }); });
    return fine(`${name} is ${address}${further > 0 ? `, ${further} more on the way` : ''}`);
  });
  await stage('TCP', async () => {
    const { host: name, port } = await ways.firstHop();
    return fine(`port ${port} answers ${await ways.greet(name, port, signal)}`);
  });
  const connected = await host.connect({ prompter: null, acceptHostKeys: [], signal }).then(() => null, (error: unknown) => VesselError.from(error));
  const ofKey = connected !== null && connected.code.startsWith('HOST_KEY_');
  await stage('Host key', () => ofKey ? Promise.reject(connected) : Promise.resolve(fine(connected === null ? 'it is the one that was confirmed' : 'it was not questioned')));
  await stage('Login', () => connected === null ? Promise.resolve(fine('logged in; the shell runs commands and prints nothing else')) : Promise.reject(connected));
  await stage('Rights of root', async () => {
    await root.authorize(null, signal);
    const { user, sudo } = await root.look(signal);
    return fine(sudo === 'root' ? 'logged in as root' : `sudo works for ${user}`);
  });
  await stage('Machine', async () => {
    const probe = await root.look(signal);
    checkPlatform(probe);
    return fine(`${probe.os.name}, Linux ${probe.kernel}, ${probe.cpus} CPUs, ${Math.round(probe.roundTripMs)} ms away`);
  });
  await stage('Processor', async () => {
    const { kvm } = await root.look(signal);
    return kvm === 'absent' ? worry('no /dev/kvm: guests run in emulation', 'Enable (nested) virtualisation for this machine, then provision again.') : fine('/dev/kvm is there; whether it runs guests is probed below');
  }, false);
  await stage('Memory and disk', async () => {
    const { memoryAvailableBytes, diskFreeBytes } = await root.look(signal);
    const evidence = `${(memoryAvailableBytes / GIGABYTE).toFixed(1)} GB of memory and ${(diskFreeBytes / GIGABYTE).toFixed(1)} GB of disk free`;
    return diskFreeBytes > DISK_WANTED_BYTES ? fine(evidence) : worry(evidence, 'Free at least 5 GB below /var.');
  }, false);
  await stage('infra-agent', async () => {
    const installed = await readInstalled(host, signal);
    if (installed === null) throw new VesselError('HOST_NOT_READY', 'it is not installed', { hint: `Provision the host: vessel host provision ${host.hostId}` });
    const current = isCurrent(installed, { version: parts.version, sha256: (await parts.agent()).sha256 });
    const hello = await link.request('hello', { client: 'doctor' }, { signal });
    return fine(`${hello.agentVersion} answers, on ${installed.node}${current ? '' : '; it was replaced just now'}`);
  });
  if (stopped === null) {
    const theirs = await link.request('doctor', {}, { signal }).catch((error: unknown) => VesselError.from(error));
    if (theirs instanceof VesselError) await stage('Host', () => Promise.reject(theirs));
    // What was seen from outside already is not told twice.
    else checks.push(...theirs.checks.filter((check) => !SEEN_FROM_OUTSIDE.includes(check.stage)).map((check) => ({ ...check, fix: check.fix?.replace('vessel host provision local', `vessel host provision ${host.hostId}`) ?? null })));
  }
  await stage('Forwarding', async () => {
    const vms = await link.request('list', {}, { signal });
    const address = vms.vms.find((vm) => vm.state === 'running')?.address ?? null;
    // Any listener will do; sshd itself is there for certain, but perhaps not at this port or address.
    const { host: name, port } = address ?? { host: '127.0.0.1', port: 22 };
    const outcome = await host.forward(name, port).then((stream) => { stream.destroy(); return null; }, (error: unknown) => VesselError.from(error));
    if (outcome === null || (address === null && outcome.code === 'GUEST_UNREACHABLE')) return fine('the server opens channels to its loopback');
    throw outcome;
  });
  await stage('Route', async () => {
    const running = (await link.request('list', {}, { signal })).vms.filter((vm) => vm.state === 'running');
    if (running.length === 0) return notReached('no environment runs on this host');
    const answers = await Promise.all(running.map(async (vm) => ({ vm, error: await ways.askGuest(vm, signal).then(() => null, (error: unknown) => VesselError.from(error)) })));
    const silent = answers.filter(({ error }) => error !== null);
    return silent.length === 0 ? fine(`${running.length} answer through the tunnel`) : worry(silent.map(({ vm, error }) => `${vm.id}: ${error?.message ?? ''}`).join('; '), 'Open the environment again; its last save is safe.');
  }, false);
  await stage('IDE', async () => {
    const running = (await link.request('list', {}, { signal })).vms.filter((vm) => vm.state === 'running');
    if (running.length === 0) return notReached('no environment runs on this host');
    const ready = await Promise.all(running.map(async (vm) => ({ vm, ready: await ways.askGuest(vm, signal).then(({ ideReady }) => ideReady, () => false) })));
    const waiting = ready.filter((one) => !one.ready);
    return waiting.length === 0 ? fine(`VS Code serves in ${ready.length}`) : worry(`not in ${waiting.map(({ vm }) => vm.id).join(', ')}`, 'Wait a moment, then open the environment again.');
  }, false);
  return { healthy: checks.every(({ state }) => state !== 'fail'), checks };
}
