import { expect, test } from 'vitest';
import { calls } from './contract.ts';

test('a change of one setting leaves the others alone', () => {
  expect(calls['settings.set'].input.parse({ theme: 'dark' })).toEqual({ theme: 'dark' });
  expect(calls['projects.update'].input.parse({ projectId: 'a', settings: { idleMinutes: 0 } })).toEqual({ projectId: 'a', settings: { idleMinutes: 0 } });
  expect(calls['projects.create'].input.parse({ name: 'a' })).toEqual({ name: 'a', template: 'blank', hostId: 'local', settings: {} });
});
