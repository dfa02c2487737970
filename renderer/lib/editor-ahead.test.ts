import { describe, expect, it } from 'vitest';
import { environment, project, sampleHost, sampleSettings } from '../testing/fixture-data.ts';
import { mayWait, nextToOpen } from './editor-ahead.ts';
import { HOME } from './routes.ts';

const NOW = 1_800_000_000_000;
const keyed = <T extends { readonly id: string }>(...items: readonly T[]): Readonly<Record<string, T>> => Object.fromEntries(items.map((item) => [item.id, item]));
const used = (id: string, minutesAgo: number, more: Partial<ReturnType<typeof project>> = {}): ReturnType<typeof project> =>
  project(id, id, NOW, { hostId: 'local', environment: null, activeOperationId: null, lastOpenedAt: NOW - minutesAgo * 60_000, createdAt: 0, updatedAt: 0, ...more });
const base = { settings: sampleSettings, hosts: keyed(sampleHost(NOW)), route: HOME, expected: null, projects: keyed(used('old-k3f9', 90), used('new-k3f9', 5)) };

describe('the editor that is loaded ahead', () => {
  it('is that of the project used last', () => {
    expect(nextToOpen(base)).toBe('new-k3f9');
  });

  it('is that of the project somebody points at, if it can be opened', () => {
    expect(nextToOpen({ ...base, expected: 'old-k3f9' })).toBe('old-k3f9');
    expect(nextToOpen({ ...base, expected: 'gone-k3f9' })).toBe('new-k3f9');
    expect(nextToOpen({ ...base, expected: 'old-k3f9', projects: keyed(used('old-k3f9', 90, { environment: environment('old-k3f9', 'running', NOW) }), used('new-k3f9', 5)) })).toBe('new-k3f9');
  });

  it.each([
    ['runs', { environment: environment('new-k3f9', 'running', NOW) }],
    ['is being worked on', { activeOperationId: 'op' }],
    ['was deleted', { deletedAt: NOW }],
    ['has nothing saved', { head: null }],
    ['is on a host that is not known', { hostId: 'mars' }],
  ])('is not one of a project that %s', (_what, more) => {
    expect(nextToOpen({ ...base, projects: keyed(used('old-k3f9', 90), used('new-k3f9', 5, more)) })).toBe('old-k3f9');
  });

  it('is that of one that sleeps or was ended', () => {
    for (const state of ['hibernated', 'destroyed'] as const) {
      expect(nextToOpen({ ...base, projects: keyed(used('new-k3f9', 5, { environment: environment('new-k3f9', state, NOW) })) })).toBe('new-k3f9');
    }
  });

  it('is none when the setting is off, the host is not set up, or another screen is open', () => {
    expect(nextToOpen({ ...base, settings: { ...sampleSettings, keepReady: false } })).toBeNull();
    expect(nextToOpen({ ...base, settings: null })).toBeNull();
    expect(nextToOpen({ ...base, hosts: keyed(sampleHost(NOW, false)) })).toBeNull();
    expect(nextToOpen({ ...base, route: { screen: 'settings' } })).toBeNull();
  });

  it('may go on waiting while its environment comes up', () => {
    expect(mayWait({ ...base, projects: keyed(used('new-k3f9', 5, { environment: environment('new-k3f9', 'starting', NOW), activeOperationId: 'op' })) }, 'new-k3f9')).toBe(true);
  });
});
