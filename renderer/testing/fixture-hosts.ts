import type { CallInput, Host, HostProbe, Prompt } from '#shared/contract.ts';
import { type ErrorCode, VesselError } from '#shared/errors.ts';
import { sampleHost } from './fixture-data.ts';

const HOUR = 3_600_000;
const FINGERPRINT = 'SHA256:uNiVztksCsDhcc0u9e8BrrQXVUpKZIDTMczCvj3tD2s';

/** Whoever watches a scope hears the questions that {@link addSampleHost} asks in it. */
export const FIXTURE_PROMPTS = new Map<string, (prompt: Prompt) => void>();

export function sampleProbe(now: number, extra: Partial<HostProbe> = {}): HostProbe {
  return {
    probedAt: now - 30_000, roundTripMs: 11.4, hostname: 'build-box', user: 'ada', uid: 1000, groups: ['ada', 'kvm'], os: { id: 'debian', version: '12', name: 'Debian GNU/Linux 12 (bookworm)' }, kernel: '6.1.0-28-amd64',
    architecture: 'x86_64', cpus: 32, memoryTotalBytes: 134_000_000_000, memoryAvailableBytes: 121_000_000_000, diskFreeBytes: 1_640_000_000_000, kvm: 'usable', sudo: 'passwordless', ...extra,
  };
}

const failure = (code: ErrorCode, message: string, details: Record<string, unknown> = {}): ReturnType<VesselError['toShape']> => new VesselError(code, message, { details }).toShape();

/** Hosts in every state that the list has to draw. */
export function sampleHosts(now: number): Host[] {
  const local = sampleHost(now);
  const ssh = (id: string, name: string, target: string, extra: Partial<Host>): Host => ({ ...local, id, name, kind: 'ssh', ssh: { target, identityFile: null }, probe: sampleProbe(now, { hostname: id }), ...extra });
  const facts = local.facts === null ? null : { ...local.facts, hostname: 'build-box', cpus: 32, memoryTotalBytes: 134_000_000_000, memoryAvailableBytes: 96_000_000_000, accelerator: { kind: 'kvm' as const, why: 'a test guest booted with KVM in 0.4 s', probedAt: now - HOUR }, capacity: { running: 1, more: 88, perEnvironmentBytes: 84_000_000 } };
  return [
    local,
    ssh('build-box', 'build-box', 'ada@build.example.org', { facts, connection: { state: 'connected', nextTryAt: null, error: null } }),
    ssh('attic', 'Attic server', 'ada@attic.lan:2222', { facts, connection: { state: 'reconnecting', nextTryAt: now + 12_000, error: failure('SSH_CONNECTION_LOST', 'The connection to the host broke') } }),
    ssh('lab', 'lab-gpu', 'lab', { facts: null, status: 'not-provisioned', connection: { state: 'down', nextTryAt: null, error: failure('SSH_ANSWER_NEEDED', 'ada@lab.example.edu asks "One-time code:" and nobody can be asked for the answer', { user: 'ada', host: 'lab.example.edu', port: 22, offered: ['publickey', 'keyboard-interactive'], tried: ['publickey (agent: ada@laptop)'] }) } }),
    ssh('old', 'Old workstation', 'root@192.0.2.17', { facts: null, status: 'unreachable', probe: sampleProbe(now, { hostname: 'old', kvm: 'absent', cpus: 4 }), connection: { state: 'down', nextTryAt: null, error: failure('SSH_REFUSED', '192.0.2.17:22 refuses connections', { host: '192.0.2.17', port: 22 }) } }),
  ];
}

/** Plays the host that the target names: `new`, `key`, `code`, `changed`, `closed`. */
export async function addSampleHost({ target, acceptHostKeys = [], promptScope = '' }: CallInput<'hosts.add'>, now: number): Promise<Host> {
  const details = { host: 'build.example.org', port: 22, name: 'build.example.org', type: 'ssh-ed25519', fingerprint: FINGERPRINT };
  const [who = ''] = target.split('@');
  const asked: Partial<Readonly<Record<string, Partial<Prompt>>>> = {
    key: { kind: 'passphrase', subject: '/home/ada/.ssh/id_ed25519', attempt: 2, mayRemember: true, fields: [{ label: 'Passphrase of /home/ada/.ssh/id_ed25519', echo: false }] },
    code: { kind: 'questions', subject: 'ada@lab.example.edu', instructions: 'Login\nDuo two-factor login for ada\n\n 1. Duo Push to +49 ··· 42\n 2. Passcode', fields: [{ label: 'Passcode or option (1-2):', echo: true }, { label: 'One-time password:', echo: false }] },
  };
  if (who === 'changed') throw new VesselError('HOST_KEY_CHANGED', 'build.example.org shows another key', { details: { ...details, file: '/home/ada/.ssh/known_hosts', line: 4, places: [{ file: '/home/ada/.ssh/known_hosts', line: 4, type: 'ssh-ed25519' }] } });
  if (who === 'closed') throw new VesselError('SSH_AUTH_FAILED', 'closed@build.example.org refused every way to log in: offered publickey; tried publickey (agent: ada@laptop), publickey (/home/ada/.ssh/id_rsa)', { details: { user: 'closed', host: 'build.example.org', port: 22, offered: ['publickey'], tried: ['publickey (agent: ada@laptop)', 'publickey (/home/ada/.ssh/id_rsa)'] } });
  const prompt = asked[who];
  if (prompt !== undefined) {
    FIXTURE_PROMPTS.get(promptScope)?.({ promptId: 'prompt', scope: promptScope, kind: 'questions', subject: target, instructions: '', fields: [], mayRemember: false, attempt: 1, ...prompt });
    return new Promise(() => undefined);
  }
  if (!acceptHostKeys.includes(FINGERPRINT)) throw new VesselError('HOST_KEY_UNKNOWN', 'build.example.org is not known yet', { details });
  return { ...sampleHosts(now)[1] ?? sampleHost(now), id: 'build' };
}
