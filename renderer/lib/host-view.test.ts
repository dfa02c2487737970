import { describe, expect, it } from 'vitest';
import type { Host, HostConnection } from '#shared/contract.ts';
import { type ErrorCode, VesselError } from '#shared/errors.ts';
import { environment, project, sampleHost } from '../testing/fixture-data.ts';
import { sampleHosts } from '../testing/fixture-hosts.ts';
import { acceleratorText, awayHost, capacityText, choiceText, defaultHost, hostOf, hostStanding, projectsOn, sortedHosts } from './host-view.ts';

const NOW = 1_800_000_000_000;
const line = (state: HostConnection['state'], code: ErrorCode | null = null, nextTryAt: number | null = null): HostConnection => ({ state, nextTryAt, error: code === null ? null : new VesselError(code).toShape() });
const remote = (connection: HostConnection, extra: Partial<Host> = {}): Host => ({ ...sampleHost(NOW), id: 'box', name: 'box', kind: 'ssh', ssh: { target: 'ada@box', identityFile: null }, connection, ...extra });

describe('how a host stands', () => {
  it.each([
    [line('connected'), 'Connected', true, 'none'], [line('connecting'), 'Connecting', false, 'none'], [line('idle'), 'Not connected', false, 'connect'],
    [line('reconnecting', 'SSH_TIMEOUT', NOW), 'Reconnecting', false, 'connect'], [line('reconnecting', 'SSH_TIMEOUT'), 'Reconnecting', false, 'none'],
    [line('down', 'SSH_REFUSED'), 'Unreachable', false, 'connect'], [line('down', 'SSH_NAME_NOT_RESOLVED'), 'Unreachable', false, 'connect'],
    [line('down', 'SSH_PASSWORD_NEEDED'), 'Needs you', false, 'sign-in'], [line('down', 'SSH_ANSWER_NEEDED'), 'Needs you', false, 'sign-in'], [line('down', 'HOST_KEY_UNKNOWN'), 'Needs you', false, 'sign-in'],
    [line('down', 'SSH_AUTH_FAILED'), 'Needs you', false, 'connect'], [line('down', 'HOST_KEY_CHANGED'), 'Stopped: its key is not the one on file', false, 'connect'],
  ] as const)('%j', (connection, label, answers, action) => expect(hostStanding(remote(connection))).toMatchObject({ label, answers, action }));

  it('tells a lost agent from a lost line, and needs no line for this computer', () => {
    expect(hostStanding(remote(line('connected'), { status: 'unreachable' })).label).toBe('Connected · infra-agent does not answer');
    expect(hostStanding(sampleHost(NOW))).toMatchObject({ answers: true, action: 'none' });
  });
  it('asks a person in where only the password of sudo is missing', () => {
    const { probe } = sampleHosts(NOW)[1] ?? {};
    if (probe === undefined) throw new Error('no sample');
    expect(hostStanding(remote(line('connected'), { status: 'unreachable', probe: { ...probe, sudo: 'password' } }))).toMatchObject({ label: 'Needs you', action: 'sign-in' });
  });
});

describe('the host of a project', () => {
  const running = project('a-k3f9', 'A', NOW, { hostId: 'local', environment: { ...environment('a-k3f9', 'running', NOW), hostId: 'box' } });
  it('is where its environment lives, and its own one when none does', () => {
    expect(hostOf(running)).toBe('box');
    expect(hostOf({ ...running, environment: { ...environment('a-k3f9', 'destroyed', NOW), hostId: 'box' } })).toBe('local');
  });
  it('is away while its line is broken, and only then', () => {
    expect(awayHost(running, remote(line('reconnecting', 'SSH_CONNECTION_LOST', NOW)))?.standing.label).toBe('Reconnecting');
    for (const state of ['connected', 'idle'] as const) expect(awayHost(running, remote(line(state)))).toBeNull();
    expect(awayHost({ ...running, environment: null }, remote(line('down', 'SSH_TIMEOUT')))).toBeNull();
  });
  it('cannot be forgotten while a project is on it', () => {
    const projects = { a: running, b: project('b-k3f9', 'B', NOW, { hostId: 'box' }), c: project('c-k3f9', 'C', NOW, { hostId: 'box', deletedAt: NOW }), d: project('d-k3f9', 'D', NOW) };
    expect(projectsOn('box', projects).map(({ id }) => id)).toEqual(['a-k3f9', 'b-k3f9']);
  });
});

it('says what is known of a machine that was only looked at', () => {
  const { facts: _none, ...rest } = remote(line('connected'));
  const probed: Host = { ...rest, facts: null, status: 'not-provisioned', probe: { probedAt: NOW, roundTripMs: 12, hostname: 'box', user: 'ada', uid: 1000, groups: [], os: { id: 'debian', version: '12', name: 'Debian GNU/Linux 12' }, kernel: '6.1', architecture: 'x86_64', cpus: 16, memoryTotalBytes: 64e9, memoryAvailableBytes: 60e9, diskFreeBytes: 1e12, kvm: 'absent', sudo: 'passwordless' } };
  expect(acceleratorText(probed)).toEqual({ text: 'No /dev/kvm', good: false });
  expect(capacityText(probed, 0)).toBe('60 GB free · 16 cores');
  expect(capacityText(sampleHost(NOW), 3)).toBe('3 running · room for 17');
});

it('puts a new project on this computer, unless only another one can run it', () => {
  const ready = { local: sampleHost(NOW), box: remote(line('connected')) };
  expect(defaultHost(ready)).toBe('local');
  expect(defaultHost({ ...ready, local: sampleHost(NOW, false) })).toBe('box');
  expect(defaultHost({ local: sampleHost(NOW, false), box: remote(line('down', 'SSH_TIMEOUT')) })).toBe('local');
  expect(defaultHost({})).toBe('local');
});

it('says of a host to choose what is in the way before what it offers', () => {
  expect(choiceText(remote(line('connected')), 2)).toBe('Emulation · 2 running · room for 18');
  expect(choiceText(remote(line('down', 'SSH_PASSWORD_NEEDED')), 0)).toBe('Needs you');
  expect(choiceText(remote(line('connected'), { status: 'not-provisioned' }), 0)).toBe('Not set up yet');
});

it('lists this computer first and the others as people count', () => {
  const hosts = ['box 10', 'Box 9'].map((name, index) => remote(line('idle'), { id: `h${index}`, name }));
  expect(sortedHosts(Object.fromEntries([...hosts, sampleHost(NOW)].map((host) => [host.id, host]))).map(({ name }) => name)).toEqual(['This computer', 'Box 9', 'box 10']);
});
