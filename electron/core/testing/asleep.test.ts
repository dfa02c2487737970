import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VesselError } from '#shared/errors.ts';
import { makeWorld, type World } from './world.ts';

let world: World;
beforeEach(async () => { world = await makeWorld(); });
afterEach(async () => { await world.dispose(); });

/** A project that was open, was changed or not, and fell asleep while no Vessel was there. */
async function asleep(change: boolean): Promise<string> {
  const { id } = await world.opened();
  if (change) world.guest(id).write('new.txt', 'hello');
  world.host.sleep(id);
  world = await world.reborn();
  await world.environments.ensureReconciled('local');
  return id;
}
const starts = (): number => world.host.calls.filter((call) => call.startsWith('start')).length;

describe('an environment that its host put to sleep', () => {
  it('is found asleep, with what is known of unsaved work', async () => {
    const id = await asleep(true);
    expect(world.projects.get(id).environment).toMatchObject({ state: 'hibernated', dirty: true, error: null });
    expect(world.environments.routes.resolve(id).kind).toBe('not-running');
  });

  it('is not shown the workbench of an image that its host has got since, before or while it wakes', async () => {
    const id = await asleep(true);
    const { hosts } = world.context.store;
    const has = (key: string): void => { hosts.put({ ...hosts.get('local'), facts: { image: { key, ideStaticDir: `/images/${key}` } } } as never); };
    const shown = (): unknown => { const route = world.environments.routes.resolve(id); return 'ideStaticDir' in route ? [route.kind, route.ideStaticDir] : route.kind; };
    has('k');
    expect(shown()).toEqual(['not-running', '/images/k']);
    has('newer');
    expect(shown()).toEqual(['not-running', null]);
    let meanwhile: unknown;
    world.host.before = async (method) => { if (method === 'resume') meanwhile = shown(); };
    await world.environments.open(id).done;
    expect(meanwhile).toEqual(['starting', null]);
    await world.environments.close(id).done;
    expect(shown()).toEqual(['not-running', '/images/newer']);
  });

  it('is known to hold nothing unsaved when its counter is that of the last save', async () => {
    const id = await asleep(false);
    expect(world.projects.get(id).environment).toMatchObject({ state: 'hibernated', dirty: false });
    await world.environments.watch();
    expect(world.host.calls.filter((call) => call.startsWith('resume'))).toEqual([]);
  });

  it('that somebody else is waking just now is not taken for dead', async () => {
    const id = await asleep(true);
    const vm = world.host.vms.get(id);
    if (vm !== undefined) world.host.vms.set(id, { ...vm, state: 'starting' });
    world = await world.reborn();
    await world.environments.ensureReconciled('local');
    expect(world.state(id).state).toBe('hibernated');
  });

  it('is woken by Open, not cloned anew, and does not count as idle', async () => {
    const id = await asleep(true);
    world.clock.now += 24 * 3_600_000;
    expect(await world.environments.open(id).done).toMatchObject({ state: 'succeeded' });
    expect(world.state(id)).toEqual({ state: 'running', code: undefined, head: 1 });
    expect(world.environments.routes.resolve(id).kind).toBe('running');
    expect(starts()).toBe(1);
    await world.environments.watch();
    expect(world.state(id).state).toBe('running');
  });

  it('sleeps on when it cannot be woken, says why, and is never removed', async () => {
    const id = await asleep(true);
    world.host.before = (method) => (method === 'resume' ? Promise.reject(new VesselError('RESUME_FAILED', 'another processor')) : Promise.resolve());
    expect(await world.environments.open(id).done).toMatchObject({ state: 'failed', error: { code: 'RESUME_FAILED' } });
    expect(world.state(id)).toEqual({ state: 'hibernated', code: 'RESUME_FAILED', head: 1 });
    expect(world.host.vms.has(id)).toBe(true);
  });

  it('is collected once by the desktop that came back: saved, and asleep again as it was', async () => {
    const id = await asleep(true);
    await world.environments.watch();
    expect(world.state(id)).toEqual({ state: 'hibernated', code: undefined, head: 2 });
    expect(world.projects.get(id).environment?.dirty).toBe(false);
    expect(world.host.vms.get(id)?.state).toBe('hibernated');
    const calls = world.host.calls.length;
    await world.environments.watch();
    expect(world.host.calls.slice(calls)).toEqual([]);
  });

  it('is collected once its host can be asked again, without a failed operation before', async () => {
    const id = await asleep(true);
    world.host.before = () => Promise.reject(new VesselError('HOST_UNREACHABLE'));
    await world.environments.watch();
    expect(world.context.operations.list({ limit: 50 }).filter(({ kind }) => kind === 'save')).toEqual([]);
    world.host.before = (method) => (method === 'resume' ? Promise.reject(new VesselError('AGENT_LOST')) : Promise.resolve());
    await world.environments.watch();
    expect(world.state(id)).toEqual({ state: 'hibernated', code: undefined, head: 1 });
    world.host.before = () => Promise.resolve();
    await world.environments.watch();
    expect(world.state(id)).toEqual({ state: 'hibernated', code: undefined, head: 2 });
  });

  it('is left to whoever opens it while its host is being asked', async () => {
    const id = await asleep(true);
    let opening: ReturnType<typeof world.environments.open> | null = null;
    world.host.before = (method) => {
      if (method === 'inspect') opening ??= world.environments.open(id);
      return Promise.resolve();
    };
    await world.environments.watch();
    expect(opening).not.toBeNull();
    await expect.poll(() => world.state(id).state).toBe('running');
    expect(world.state(id).code).toBeUndefined();
  });

  it('stays awake and open for people when it could be woken but not be saved', async () => {
    const id = await asleep(true);
    Object.assign(world.cold, { put: () => Promise.reject(new VesselError('DISK_FULL')) });
    await world.environments.watch();
    expect(world.state(id)).toMatchObject({ state: 'running', code: 'DISK_FULL', head: 1 });
    expect(world.environments.routes.resolve(id).kind).toBe('running');
  });

  it('is woken, saved and ended by Save & Exit', async () => {
    const id = await asleep(true);
    expect(await world.environments.close(id).done).toMatchObject({ state: 'succeeded', result: { revision: { rev: 2 } } });
    expect(world.state(id)).toEqual({ state: 'destroyed', code: undefined, head: 2 });
    expect(world.host.vms.size).toBe(0);
  });

  it('can be discarded without being woken', async () => {
    const id = await asleep(true);
    expect(await world.environments.discard(id, id).done).toMatchObject({ state: 'succeeded' });
    expect(world.host.calls.filter((call) => call.startsWith('resume'))).toEqual([]);
  });

  it('waits for a save that woke it when somebody opens it meanwhile, and is then open', async () => {
    const id = await asleep(true);
    const saving = world.environments.save(id);
    const opening = world.environments.open(id);
    expect(await saving.done).toMatchObject({ state: 'succeeded' });
    expect(await opening.done).toMatchObject({ state: 'succeeded' });
    expect(world.state(id)).toEqual({ state: 'running', code: undefined, head: 2 });
    expect(world.environments.routes.resolve(id).kind).toBe('running');
  });

  it('that nobody knows is offered for rescue, and rescued', async () => {
    world.host.run('stranger').write('a.txt', 'x');
    world.host.sleep('stranger');
    await world.environments.ensureReconciled('local');
    expect(world.context.feed.orphans.map(({ vmId }) => vmId)).toEqual(['stranger']);
    expect(await world.environments.rescue('local', 'stranger').done).toMatchObject({ state: 'succeeded' });
  });
});

it('an open environment that its host puts to sleep is asleep, not dead', async () => {
  const { id } = await world.opened();
  world.host.sleep(id);
  expect(world.state(id)).toEqual({ state: 'hibernated', code: undefined, head: 1 });
});
