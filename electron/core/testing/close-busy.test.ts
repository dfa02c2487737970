import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VesselError } from '#shared/errors.ts';
import { makeWorld, type FakeGuest, type World } from './world.ts';

let world: World;
beforeEach(async () => { world = await makeWorld(); });
afterEach(async () => { await world.dispose(); });

async function busy(): Promise<{ readonly id: string; readonly guest: FakeGuest }> {
  const { id } = await world.opened();
  const guest = world.guest(id);
  guest.write('f', '0');
  return { id, guest };
}
const logOf = (operationId: string): string => world.context.operations.log(operationId, 0).map(({ text }) => text).join('\n');
const breakStore = (): (() => void) => {
  const { put } = world.cold;
  Object.assign(world.cold, { put: async (_id: string, content: { destroy: () => void }) => { content.destroy(); throw new VesselError('DISK_FULL'); } });
  return () => Object.assign(world.cold, { put });
};

describe('Save & Exit with programs inside', () => {
  it('asks them to end first, so that what they write at their end is saved, and says what was stopped', async () => {
    const { id, guest } = await busy();
    guest.programs = [{ pid: 7, command: 'postgres', stubborn: false, onEnd: () => guest.write('db', 'flushed') }];
    const { operationId, done } = world.environments.close(id);
    expect(await done).toMatchObject({ state: 'succeeded', result: { archive: { rev: 2, files: 2 }, stopped: [{ pid: 7, command: 'postgres', wrote: [], how: 'ended' }] } });
    expect(guest.saves).toBe(1);
    expect(logOf(operationId)).toContain('Ended when asked: postgres (7)');
  });

  it('holds still what does not end, reads once, and ends it with the machine', async () => {
    const { id, guest } = await busy();
    guest.programs = [{ pid: 8, command: 'logger', stubborn: true }];
    guest.onRead = () => guest.write('log', String(guest.counter));
    world.host.before = async (method) => { if (method === 'stop') expect(guest.held).toBe(true); };
    expect(await world.environments.close(id).done).toMatchObject({ state: 'succeeded', result: { stopped: [{ pid: 8, how: 'held' }] } });
    expect(guest.saves).toBe(1);
    expect(world.state(id)).toEqual({ state: 'destroyed', code: undefined, head: 2 });
  });

  it('holds everything still after one save that did not settle, whatever it is that writes', async () => {
    const { id, guest } = await busy();
    guest.onRead = () => guest.write('log', String(guest.counter));
    expect(await world.environments.close(id).done).toMatchObject({ state: 'succeeded' });
    expect(guest.saves).toBe(2);
  });

  it('saves again when a hold lapsed meanwhile, although the counter says nothing', async () => {
    const { id, guest } = await busy();
    guest.programs = [{ pid: 8, command: 'logger', stubborn: true }];
    guest.onRead = () => { guest.onRead = () => undefined; guest.held = false; };
    expect(await world.environments.close(id).done).toMatchObject({ state: 'succeeded' });
    expect(guest.held).toBe(true);
    expect(guest.hold).toBe(2);
  });

  it('lets go, opens again, and says what was stopped when the save fails; the next try works', async () => {
    const { id, guest } = await busy();
    guest.programs = [{ pid: 7, command: 'vite', stubborn: false }, { pid: 8, command: 'logger', stubborn: true }];
    const mend = breakStore();
    const { error } = await world.environments.close(id).done;
    expect(error).toMatchObject({ code: 'DISK_FULL', hint: expect.stringContaining('Ended and not started again: vite (7).') as string, details: { stopped: [{ pid: 7 }, { pid: 8 }] } });
    expect(guest.held).toBe(false);
    expect(world.environments.routes.resolve(id).kind).toBe('running');
    mend();
    expect((await world.environments.close(id).done).state).toBe('succeeded');
  });

  it('refuses with --keep-running while something writes, names it, and leaves everything alone', async () => {
    const { id, guest } = await busy();
    guest.programs = [{ pid: 8, command: 'logger', stubborn: false }];
    guest.changing = ['log.txt'];
    const { error } = await world.environments.close(id, true).done;
    expect(error).toMatchObject({ code: 'CONFLICT', message: 'Something inside keeps changing files (log.txt). Running: logger (8)', details: { changing: ['log.txt'] } });
    expect(guest.programs).toHaveLength(1);
    expect(guest.saves).toBe(0);
    expect(world.state(id)).toMatchObject({ state: 'running' });
    expect(world.environments.routes.resolve(id).kind).toBe('running');
  });

  it('refuses with --keep-running what only writes while it is read', async () => {
    const { id, guest } = await busy();
    guest.onRead = () => guest.write('log', String(guest.counter));
    expect(await world.environments.close(id, true).done).toMatchObject({ state: 'failed', error: { code: 'CONFLICT' } });
    expect(guest.hold).toBe(0);
  });

  it('does not stop at the idle stop what writes, and ends what is quiet', async () => {
    const { id, guest } = await busy();
    guest.programs = [{ pid: 7, command: 'vite', stubborn: false }];
    guest.changing = ['log.txt'];
    world.clock.now += 31 * 60_000;
    await world.environments.watch();
    expect(world.state(id)).toMatchObject({ state: 'running', code: 'CONFLICT' });
    expect(guest.programs).toHaveLength(1);
    guest.changing = [];
    world.clock.now += 11 * 60_000;
    await world.environments.watch();
    expect(world.state(id)).toEqual({ state: 'destroyed', code: undefined, head: 2 });
    expect(guest.programs).toHaveLength(0);
  });

  it('closes an environment whose agent does not know these calls as it always did', async () => {
    const { id, guest } = await busy();
    guest.old = true;
    expect(await world.environments.close(id).done).toMatchObject({ state: 'succeeded', result: { stopped: [] } });
  });

  it('lets go what a Vessel that died had held still', async () => {
    const { id, guest } = await busy();
    await guest.client(() => 0).holdStill(1000);
    world = await world.reborn();
    await world.environments.ensureReconciled('local');
    expect(guest.held).toBe(false);
    expect(world.environments.routes.resolve(id).kind).toBe('running');
  });

  it('rescues what is written during the rescue too, and does not end what cannot be saved whole', async () => {
    const project = await world.projects.create({ name: 'A', template: 'node', hostId: 'local', settings: {} });
    const guest = world.host.run(project.id);
    guest.write('log', 'first');
    const heldAtRead: boolean[] = [];
    guest.onRead = () => { heldAtRead.push(guest.held); guest.write('log', `line ${guest.counter}`); };
    await world.environments.ensureReconciled('local');
    guest.hold = null;
    expect(await world.environments.rescue('local', project.id).done).toMatchObject({ state: 'failed', error: { code: 'CONFLICT' } });
    expect(world.host.vms.has(project.id)).toBe(true);
    guest.hold = 0;
    expect(await world.environments.rescue('local', project.id).done).toMatchObject({ state: 'succeeded' });
    expect(world.host.vms.has(project.id)).toBe(false);
    // The last read is the first of a workspace in which nothing moves.
    expect(heldAtRead).toEqual([false, false, false, false, false, true]);
  });
});
