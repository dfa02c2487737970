import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VesselError } from '#shared/errors.ts';
import { makeWorld, type World } from './world.ts';

let world: World;
beforeEach(async () => { world = await makeWorld(); });
afterEach(() => world.dispose());

/** Changes a file as where no watch is: the counter stands still. */
const unwatched = (id: string, name: string): void => { world.guest(id).files = [...world.guest(id).files, { name, data: name }]; };

describe('that nothing changed', () => {
  it('is not said before a look, which finds what was written through a memory map', async () => {
    const { id } = await world.opened();
    world.guest(id).mapped = [{ name: 'database', data: 'rows' }];
    expect((await world.environments.save(id).done).result).toMatchObject({ changed: true, archive: { rev: 2 } });
    world.guest(id).mapped = [{ name: 'database', data: 'more rows' }];
    expect((await world.environments.close(id).done).result).toMatchObject({ changed: true, archive: { rev: 3 } });
  });

  it('is not said of a workspace that the agent has watched by other rules than the project’s', async () => {
    const { id } = await world.projects.create({ name: 'A', template: 'node', hostId: 'local', settings: { exclude: { preset: 'everything', rules: [] } } });
    expect((await world.environments.open(id).done).state).toBe('succeeded');
    unwatched(id, 'node_modules/x');
    expect((await world.environments.close(id).done).result).toMatchObject({ changed: true, archive: { rev: 2, files: 1 } });
  });

  it('is not said after the rules of an open project changed', async () => {
    const { id } = await world.opened();
    world.guest(id).write('a', 'a');
    await world.environments.save(id).done;
    unwatched(id, '.venv/x');
    await world.projects.update(id, { settings: { exclude: { preset: 'everything', rules: [] } } });
    expect(world.projects.get(id).environment?.dirty).toBe(true);
    expect((await world.environments.save(id).done).result).toMatchObject({ changed: true, archive: { rev: 3, files: 2 } });
    await world.projects.update(id, { name: 'B' });
    expect((await world.environments.save(id).done).result).toMatchObject({ changed: false });
  });

  it.each([['a deadline', new VesselError('GUEST_TIMEOUT')], ['a person', new VesselError('CANCELLED')]])('decides whether an opening that %s ends at its last step takes the machine along', async (_who, end) => {
    const { id } = await world.projects.create({ name: 'A', template: 'node', hostId: 'local', settings: {} });
    Object.assign(world.environments.context, { probeIde: () => Promise.reject(end) });
    expect((await world.environments.open(id).done).state).not.toBe('succeeded');
    expect(world.host.vms.has(id)).toBe(false);
    Object.assign(world.environments.context, { probeIde: () => { world.guest(id).write('typed', 'already'); return Promise.reject(end); } });
    expect((await world.environments.open(id).done).state).not.toBe('succeeded');
    expect(world.host.vms.has(id)).toBe(true);
    expect(world.state(id)).toMatchObject({ state: 'running' });
    expect((await world.environments.close(id).done).result).toMatchObject({ changed: true, archive: { rev: 2 } });
  });
});
