import { describe, expect, it } from 'vitest';
import { compareVersions, isCurrent, readInstalled, type Installed } from './installed.ts';
import { checkPlatform } from './platform.ts';

const installed = (agentVersion: string, agentSha256 = 'ours'): Installed => ({ agentVersion, agentSha256, agent: '/a', node: '/n' });
const ours = { version: '0.3.10', sha256: 'ours' };
const answering = (code: number, stdout: string): Parameters<typeof readInstalled>[0] => ({ run: () => Promise.resolve({ code, signal: null, stdout, stderr: '' }) });

describe('the agent on a host', () => {
  it('that is newer is refused, with both versions', () => {
    expect(() => isCurrent(installed('0.4.0'), ours)).toThrow(expect.objectContaining({ code: 'HOST_VERSION', details: { theirs: '0.4.0', ours: '0.3.10' } }));
    expect(() => isCurrent(installed('0.3.11-rc.1'), ours)).toThrow(expect.objectContaining({ code: 'HOST_VERSION' }));
  });
  it('that is older, or another build of the same number, is to be replaced', () => {
    expect([isCurrent(installed('0.3.9', 'theirs'), ours), isCurrent(installed('0.3.10', 'theirs'), ours), isCurrent(installed('0.3.10'), ours)]).toEqual([false, false, true]);
  });
  it('is compared by numbers, not by letters', () => {
    expect(compareVersions('0.10.0', '0.9.9')).toBeGreaterThan(0);
    expect(compareVersions('1.0', '1.0.0')).toBe(0);
  });
  it('counts as absent when its note is missing, torn or of another kind', async () => {
    expect(await Promise.all([readInstalled(answering(1, '')), readInstalled(answering(0, '{"agentVer')), readInstalled(answering(0, '{}'))])).toEqual([null, null, null]);
    expect(await readInstalled(answering(0, JSON.stringify({ ...installed('1.0.0'), later: 1 })))).toEqual(installed('1.0.0'));
  });
});

describe('a machine that cannot be a host', () => {
  const os = (id: string, version: string): { readonly id: string; readonly version: string; readonly name: string } => ({ id, version, name: `${id} ${version}` });
  it.each([
    ['another processor', os('debian', '12'), 'aarch64', /box is a aarch64 machine/],
    ['another family', os('fedora', '44'), 'x86_64', /fedora 44, which is neither Debian nor Ubuntu/],
    ['an older release', os('debian', '11'), 'x86_64', /of debian 12 is supported/],
    ['a release between', os('ubuntu', '23.10'), 'x86_64', /of ubuntu 22\.04 and 24\.04 are supported/],
  ])('is refused with the reason: %s', (_what, system, architecture, why) => {
    expect(() => checkPlatform({ os: system, architecture, hostname: 'box' })).toThrow(expect.objectContaining({ code: 'HOST_UNSUPPORTED', message: expect.stringMatching(why) as unknown }));
  });
  it.each([['debian', '12'], ['ubuntu', '22.04'], ['ubuntu', '24.04']])('is not %s %s', (id, version) => {
    expect(() => checkPlatform({ os: os(id, version), architecture: 'x86_64', hostname: 'box' })).not.toThrow();
  });
});
