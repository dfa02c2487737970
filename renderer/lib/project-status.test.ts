import { describe, expect, it } from 'vitest';
import { ENVIRONMENT_STATES } from '#shared/project.ts';
import type { Host, HostConnection } from '#shared/contract.ts';
import { type ErrorCode, VesselError } from '#shared/errors.ts';
import { environment, project, sampleHost } from '../testing/fixture-data.ts';
import { projectStatus, projectStatusOn, visibleProjects } from './project-status.ts';

const NOW = 1_800_000_000_000;

describe('projectStatus', () => {
  it('offers something to do in every state an environment can have', () => {
    for (const state of ENVIRONMENT_STATES) {
      const status = projectStatus(project('a-k3f9', 'A', NOW, { environment: environment('a-k3f9', state, NOW) }));
      expect(status.label).not.toBe('');
      if (state !== 'stopping' && state !== 'destroying') expect(status.primary).not.toBe('none');
    }
  });
  it('leads to the work under way instead of starting more', () => {
    expect(projectStatus(project('a-k3f9', 'A', NOW, { activeOperationId: 'op' })).primary).toBe('console');
    expect(projectStatus(project('a-k3f9', 'A', NOW, { environment: environment('a-k3f9', 'stopping', NOW), activeOperationId: 'op' })).primary).toBe('console');
  });
  it('says that changes are not saved yet', () => {
    expect(projectStatus(project('a-k3f9', 'A', NOW, { environment: environment('a-k3f9', 'running', NOW, { dirty: true }) })).label).toBe('Running · unsaved changes');
  });
  it('cannot open a project whose first revision is not written', () => {
    expect(projectStatus(project('a-k3f9', 'A', NOW, { head: null })).primary).toBe('none');
  });
});

describe('projectStatusOn', () => {
  const host = (state: HostConnection['state'], code: ErrorCode): Host => ({ ...sampleHost(NOW), id: 'box', name: 'build-box', kind: 'ssh', connection: { state, nextTryAt: null, error: new VesselError(code).toShape() } });
  const running = project('a-k3f9', 'A', NOW, { hostId: 'box', environment: { ...environment('a-k3f9', 'running', NOW, { dirty: true }), hostId: 'box' } });
  it.each([
    ['reconnecting', 'SSH_CONNECTION_LOST', 'Running · reconnecting to build-box'], ['down', 'SSH_PASSWORD_NEEDED', 'Running · build-box needs you'],
    ['down', 'HOST_KEY_CHANGED', 'Running · build-box is unreachable'], ['down', 'SSH_TIMEOUT', 'Running · build-box is unreachable'],
  ] as const)('%s with %s: %s, to be resumed but not saved', (state, code, label) => {
    expect(projectStatusOn(running, host(state, code))).toMatchObject({ label, primary: 'resume', running: false, alive: true });
  });
  it('says nothing of the host while its line holds, and of a host on which nothing runs', () => {
    expect(projectStatusOn(running, host('connected', 'SSH_TIMEOUT'))).toEqual(projectStatus(running));
    expect(projectStatusOn({ ...running, environment: null }, host('down', 'SSH_TIMEOUT')).label).toBe('Stored');
  });
});

describe('visibleProjects', () => {
  const all = [
    project('a-k3f9', 'Shop API', NOW, { lastOpenedAt: NOW - 9, updatedAt: 0 }), project('b-k3f9', 'Shop page 10', NOW, { lastOpenedAt: NOW - 5, updatedAt: 0, template: 'static' }),
    project('c-k3f9', 'shop page 9', NOW, { lastOpenedAt: NOW - 7, updatedAt: 0 }), project('d-k3f9', 'Shop old', NOW, { deletedAt: NOW }),
  ];
  const names = (query: string, order: 'recent' | 'name' | 'state'): readonly string[] => visibleProjects(all, query, order).map((item) => item.id[0] ?? '');
  it('never shows a deleted project', () => expect(names('', 'recent')).not.toContain('d'));
  it('sorts by use and by name as people count', () => {
    expect(names('', 'recent')).toEqual(['b', 'c', 'a']);
    expect(names('', 'name')).toEqual(['a', 'c', 'b']);
  });
  it('finds every word, in the name, the id, the template or the state', () => {
    expect(names('page shop', 'name')).toEqual(['c', 'b']);
    expect(names('static', 'name')).toEqual(['b']);
    expect(names('stored a-k3', 'name')).toEqual(['a']);
    expect(names('nothing', 'name')).toEqual([]);
  });
  it('lists a thousand projects', () => {
    const many = Array.from({ length: 1000 }, (_, index) => project(`p${index}-k3f9`, `Project ${index}`, NOW));
    expect(visibleProjects(many, 'project', 'recent')).toHaveLength(1000);
  });
});
