import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startAndShow } from './actions.ts';
import { leaveRoute, stillHere } from './navigate.ts';

/** As much of the browser's location as these functions touch. */
class Location {
  hash = '#/new';
  replace(to: string): void { this.hash = to; }
}

describe('an answer that comes late', () => {
  let location: Location;
  beforeEach(() => {
    location = new Location();
    vi.stubGlobal('window', { location });
  });
  afterEach(() => { vi.unstubAllGlobals(); });

  it('closes the panel it belongs to', () => {
    leaveRoute({ screen: 'projects', panel: 'new' }, { screen: 'projects', panel: 'none' });
    expect(location.hash).toBe('#/');
  });

  it('leaves whoever went elsewhere where they are', () => {
    location.hash = '#/hosts/build-box';
    leaveRoute({ screen: 'projects', panel: 'new' }, { screen: 'projects', panel: 'none' });
    expect(location.hash).toBe('#/hosts/build-box');
  });

  it('knows whether the user is still there', () => {
    const here = stillHere();
    expect(here()).toBe(true);
    location.hash = '#/settings';
    expect(here()).toBe(false);
  });

  it('shows the console of what was started, and only to somebody who waited for it', async () => {
    await startAndShow(() => Promise.resolve({ operationId: 'op-1' }));
    expect(location.hash).toBe('#/operations/op-1');
    await startAndShow(() => {
      location.hash = '#/settings';
      return Promise.resolve({ operationId: 'op-2' });
    });
    expect(location.hash).toBe('#/settings');
  });
});
