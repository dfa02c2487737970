import type { Host } from '#shared/contract.ts';
import type { ErrorCode } from '#shared/errors.ts';
import type { Environment, Project } from '#shared/project.ts';
import { formatBytes, formatCount } from './format.ts';
import type { Tone } from './tone.ts';

/** How a host stands, for people: where it is reached, whether it answers, what would help. */
export type HostStanding = {
  readonly tone: Tone;
  readonly label: string;
  /** Whether calls that need the host can work now. */
  readonly answers: boolean;
  /** Unix milliseconds of the next attempt by itself. */
  readonly nextTryAt: number | null;
  /** What a person can do: sign in (the host wants something of them), try again, or nothing. */
  readonly action: 'sign-in' | 'connect' | 'none';
};

/** Failures that a question or a confirmation settles; the others need a repair elsewhere first. */
const ASKS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['SSH_PASSPHRASE_NEEDED', 'SSH_PASSWORD_NEEDED', 'SSH_ANSWER_NEEDED', 'SSH_PROMPT_CANCELLED', 'HOST_KEY_UNKNOWN', 'HOST_KEY_AUTHORITY']);

/** Whether signing in may settle this failure. */
export const wantsPerson = (code: ErrorCode): boolean => ASKS.has(code);

export function hostStanding(host: Host): HostStanding {
  const at = (tone: Tone, label: string, answers: boolean, action: HostStanding['action'] = 'none', nextTryAt: number | null = null): HostStanding => ({ tone, label, answers, action, nextTryAt });
  if (host.kind === 'local') return host.status === 'unreachable' ? at('bad', 'infra-agent does not answer', false) : at('live', 'Local', true);
  const { state, nextTryAt, error } = host.connection ?? { state: 'idle', nextTryAt: null, error: null };
  switch (state) {
    case 'connected':
      // After a restart of Vessel its agent there cannot be started before sudo has its password.
      if (host.status === 'unreachable' && host.probe?.sudo === 'password') return at('warn', 'Needs you', false, 'sign-in');
      return host.status === 'unreachable' ? at('bad', 'Connected · infra-agent does not answer', false) : at('live', 'Connected', true);
    case 'connecting': return at('busy', 'Connecting', false);
    case 'reconnecting': return at('warn', 'Reconnecting', false, nextTryAt === null ? 'none' : 'connect', nextTryAt);
    case 'down':
      if (error !== null && wantsPerson(error.code)) return at('warn', 'Needs you', false, 'sign-in');
      if (error?.code === 'HOST_KEY_CHANGED' || error?.code === 'HOST_KEY_REVOKED') return at('bad', 'Stopped: its key is not the one on file', false, 'connect');
      return at('bad', error !== null && !error.retryable ? 'Needs you' : 'Unreachable', false, 'connect');
    case 'idle': return at('idle', 'Not connected', false, 'connect');
    default: return state satisfies never;
  }
}

/** The host that a project's next or present environment belongs to. */
export function hostOf(project: Project): string {
  const { environment } = project;
  return environment !== null && isAlive(environment) ? environment.hostId : project.hostId;
}

const isAlive = ({ state }: Environment): boolean => state !== 'destroyed';

/** Whether its line is known to be broken. One that was never asked for may well come up when it is. */
export function isAway(host: Host): boolean {
  const state = host.connection?.state;
  return host.kind === 'ssh' && (state === 'down' || state === 'reconnecting');
}

/** Why an environment cannot be reached although it runs, given the host of {@link hostOf}; null when its host answers. */
export function awayHost(project: Project, host: Host | undefined): { readonly host: Host; readonly standing: HostStanding } | null {
  if (project.environment === null || !isAlive(project.environment)) return null;
  if (host === undefined || host.kind === 'local') return null;
  return isAway(host) || project.environment.connection !== undefined ? { host, standing: hostStanding(host) } : null;
}

/** What runs guests there, as far as it is known. */
export function acceleratorText({ facts, probe }: Host): { readonly text: string; readonly good: boolean | null } {
  if (facts !== null) return { kvm: { text: 'KVM', good: true }, tcg: { text: 'Emulation', good: false }, unknown: { text: 'Not probed yet', good: null } }[facts.accelerator.kind];
  if (probe === undefined) return { text: 'Not known', good: null };
  return { usable: { text: '/dev/kvm is there', good: null }, 'no-access': { text: '/dev/kvm is there', good: null }, absent: { text: 'No /dev/kvm', good: false } }[probe.kvm];
}

/** `2 running · room for 17`; what runs is known now, the facts are as old as the last look. */
export function capacityText({ status, facts, probe }: Host, running: number): string {
  if (facts !== null && status === 'ready') return `${running} running · room for ${Math.max(0, facts.capacity.more + facts.capacity.running - running)}`;
  if (facts !== null) return `${formatBytes(facts.memoryAvailableBytes)} free · ${formatCount(facts.cpus, 'core')}`;
  return probe === undefined ? 'Not known' : `${formatBytes(probe.memoryAvailableBytes)} free · ${formatCount(probe.cpus, 'core')}`;
}

/** Every host, this computer first, then by name. */
export function sortedHosts(hosts: Readonly<Record<string, Host>>): readonly Host[] {
  return Object.values(hosts).toSorted((a, b) => Number(a.kind !== 'local') - Number(b.kind !== 'local') || a.name.localeCompare(b.name, 'en', { sensitivity: 'base', numeric: true }) || a.id.localeCompare(b.id));
}

/** Projects that stand in the way of forgetting a host: they belong to it, or run on it. */
export function projectsOn(hostId: string, projects: Readonly<Record<string, Project>>): readonly Project[] {
  return Object.values(projects).filter((project) => project.deletedAt === null && (project.hostId === hostId || hostOf(project) === hostId));
}

/** Where a new project goes unless somebody chooses: this computer, or the first host that can run one while this computer cannot. */
export function defaultHost(hosts: Readonly<Record<string, Host>>): string {
  if (hosts['local']?.status === 'ready') return 'local';
  return sortedHosts(hosts).find((host) => host.status === 'ready' && !isAway(host))?.id ?? 'local';
}

/** A host in one line for choosing: what is in the way, or what it offers. */
export function choiceText(host: Host, running: number): string {
  if (host.status === 'not-provisioned') return 'Not set up yet';
  if (isAway(host) || host.status === 'unreachable') return hostStanding(host).label;
  return host.facts === null ? 'Not looked at yet' : `${acceleratorText(host).text} · ${capacityText(host, running)}`;
}

/** How many environments are known to run on a host. */
export function runningOn(hostId: string, projects: Readonly<Record<string, Project>>): number {
  return Object.values(projects).filter(({ environment }) => environment?.state === 'running' && environment.hostId === hostId).length;
}
