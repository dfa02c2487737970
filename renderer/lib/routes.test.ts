import { expect, it } from 'vitest';
import { HOME, parseRoute, type Route, routeHash } from './routes.ts';

const routes: readonly Route[] = [
  HOME, { screen: 'projects', panel: 'new' }, { screen: 'projects', panel: 'import' }, { screen: 'projects', panel: 'deleted' },
  { screen: 'projects', panel: 'history', projectId: 'demo-k3f9' }, { screen: 'projects', panel: 'settings', projectId: 'demo-k3f9' },
  { screen: 'projects', panel: 'delete', projectId: 'demo-k3f9' },
  { screen: 'ide', projectId: 'demo-k3f9' }, { screen: 'console', operationId: 'op/1 %' }, { screen: 'host', hostId: 'local' },
  { screen: 'hosts', panel: 'none' }, { screen: 'hosts', panel: 'add' }, { screen: 'host', hostId: 'add' },
  { screen: 'open', projectId: 'demo-k3f9', port: null }, { screen: 'open', projectId: 'demo-k3f9', port: 5173 },
  { screen: 'files', projectId: 'demo-k3f9', rev: null, path: null }, { screen: 'files', projectId: 'demo-k3f9', rev: 3, path: null }, { screen: 'files', projectId: 'demo-k3f9', rev: null, path: 'src/a b/c%.ts' },
  { screen: 'diff', projectId: 'demo-k3f9', from: 2, to: 7 },
  { screen: 'settings' }, { screen: 'activity', projectId: null }, { screen: 'activity', projectId: 'demo-k3f9' },
];

it.each(routes.map((route) => [routeHash(route), route] as const))('%s leads back to the place it names', (hash, route) => {
  expect(parseRoute(hash)).toEqual(route);
});

it('sends unknown and broken addresses to the project grid instead of a blank page', () => {
  for (const hash of ['', '#', '#/nowhere', '#/operations', '#/open', '#//']) expect(parseRoute(hash)).toEqual(HOME);
  expect(parseRoute('#/projects/%E0%A4%A')).toEqual({ screen: 'ide', projectId: '%E0%A4%A' });
});
