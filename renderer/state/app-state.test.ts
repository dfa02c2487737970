import { expect, it } from 'vitest';
import type { StateEvent } from '#shared/contract.ts';
import { operation, project, sampleHost, sampleSettings } from '../testing/fixture-data.ts';
import { applyStateEvent, EMPTY, withOperation } from './app-state.ts';

const NOW = 1_800_000_000_000;
const snapshot = (names: readonly string[]): StateEvent => ({
  kind: 'snapshot', projects: names.map((name) => project(`${name}-k3f9`, name, NOW)), hosts: [sampleHost(NOW)], operations: [], orphans: [], settings: sampleSettings,
});

it('is loaded by the first snapshot and forgets what a later snapshot does not hold', () => {
  const first = applyStateEvent(EMPTY, snapshot(['a', 'b']));
  expect(first.loaded).toBe(true);
  const second = applyStateEvent(first, snapshot(['b']));
  expect(Object.keys(second.projects)).toEqual(['b-k3f9']);
});

it('lets a removed project go at once, with its drafts', () => {
  const first = applyStateEvent(EMPTY, snapshot(['a', 'b']));
  const second = applyStateEvent(first, { kind: 'project-removed', projectId: 'a-k3f9' });
  expect(Object.keys(second.projects)).toEqual(['b-k3f9']);
  expect(second.projects['b-k3f9']).toBe(first.projects['b-k3f9']);
});

it('keeps the identity of everything a reconnect brings unchanged, so that no card renders again', () => {
  const first = applyStateEvent(EMPTY, snapshot(['a', 'b']));
  const second = applyStateEvent(first, snapshot(['a', 'b']));
  expect(second.projects['a-k3f9']).toBe(first.projects['a-k3f9']);
});

it('changes one project only when one project changed', () => {
  const first = applyStateEvent(EMPTY, snapshot(['a', 'b']));
  const second = applyStateEvent(first, { kind: 'project', project: project('a-k3f9', 'renamed', NOW) });
  expect(second.projects['a-k3f9']?.name).toBe('renamed');
  expect(second.projects['b-k3f9']).toBe(first.projects['b-k3f9']);
  expect(second.hosts).toBe(first.hosts);
});

it('does not let an older view of an operation undo its end', () => {
  const ended = operation('op', 'save', 'Save', NOW, [], { state: 'succeeded', lastSeq: 9 });
  const late = operation('op', 'save', 'Save', NOW, [], { state: 'running', lastSeq: 9 });
  const known = withOperation({}, ended);
  expect(withOperation(known, late)).toBe(known);
  expect(withOperation(withOperation({}, late), ended)['op']?.state).toBe('succeeded');
});

it('forgets the oldest ended operations of a long session and never a running one', () => {
  let operations = withOperation({}, operation('running', 'open', 'Open', 0, [], { state: 'running' }));
  for (let index = 1; index <= 250; index += 1) operations = withOperation(operations, operation(`op-${index}`, 'save', 'Save', index, []));
  expect(Object.keys(operations)).toHaveLength(200);
  expect(operations['running']).toBeDefined();
  expect(operations['op-1']).toBeUndefined();
  expect(operations['op-250']).toBeDefined();
});
