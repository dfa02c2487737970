import { expect, it } from 'vitest';
import { ProjectSchema, type Project } from '#shared/project.ts';
import { applyState, runningEnvironments } from './server-watch.ts';

const project = (id: string, state: string | null): Project => ProjectSchema.parse({
  id, name: id.toUpperCase(), template: null, hostId: 'local', createdAt: 0, updatedAt: 0, lastOpenedAt: null, deletedAt: null,
  settings: { tier: 'medium', autosaveMinutes: 5, idleMinutes: 30, exclude: { preset: 'safe', rules: [] } }, head: null, activeOperationId: null,
  environment: state === null ? null : { projectId: id, hostId: 'local', state, since: 0, startedAt: null, lastActivityAt: null, dirty: false, baseRev: null, startKind: null, error: null },
});

it('the tray follows a snapshot and single changes', () => {
  const projects = new Map<string, Project>();
  expect(applyState(projects, { kind: 'snapshot', projects: [project('b', 'running'), project('a', null), project('c', 'destroyed')], hosts: [], operations: [], orphans: [], settings: undefined as never })).toBe(true);
  expect(runningEnvironments(projects.values())).toEqual([{ projectId: 'b', name: 'B' }]);
  applyState(projects, { kind: 'project', project: project('a', 'starting') });
  applyState(projects, { kind: 'project', project: project('b', 'destroyed') });
  expect(runningEnvironments(projects.values()).map(({ projectId }) => projectId)).toEqual(['a']);
  expect(applyState(projects, { kind: 'orphans', orphans: [] })).toBe(false);
});
