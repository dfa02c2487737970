import { expect, test } from 'vitest';
import { serverFilePath, vesselCache, vesselHome } from './paths.ts';

test('VESSEL_HOME wins over every default and loses its trailing slash', () => {
  expect(vesselHome({ VESSEL_HOME: '/srv/vessel/', XDG_DATA_HOME: '/data' }, '/home/ada')).toBe('/srv/vessel');
});

test('the home is in the XDG data folder, and a relative or empty one is ignored as the specification demands', () => {
  expect(vesselHome({ XDG_DATA_HOME: '/data/' }, '/home/ada')).toBe('/data/vessel');
  expect(vesselHome({ XDG_DATA_HOME: 'data' }, '/home/ada')).toBe('/home/ada/.local/share/vessel');
  expect(vesselHome({ VESSEL_HOME: '', XDG_DATA_HOME: '' }, '/home/ada')).toBe('/home/ada/.local/share/vessel');
});

test('the cache of root is the system one, of others their own', () => {
  expect(vesselCache({}, '/root', true)).toBe('/var/cache/vessel');
  expect(vesselCache({}, '/home/ada', false)).toBe('/home/ada/.cache/vessel');
  expect(vesselCache({ XDG_CACHE_HOME: '/c' }, '/home/ada', false)).toBe('/c/vessel');
  expect(vesselCache({ VESSEL_CACHE: '/elsewhere' }, '/root', true)).toBe('/elsewhere');
});

test('the server file lies in the run folder of the home', () => {
  expect(serverFilePath('/h')).toBe('/h/run/server.json');
});
