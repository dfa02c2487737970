import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VesselError } from '#shared/errors.ts';
import type { HostMethod, HostParams, HostResult, HostStep } from '#shared/host-protocol.ts';
import type { HostRequestOptions } from '../ports/host-link.ts';
import { FakeHost, makeWorld, type World } from './world.ts';

/** A computer on which nothing is set up yet; setting it up takes until the test says so. */
class BareHost extends FakeHost {
  ready = false;
  finish: (error?: VesselError) => void = () => undefined;

  override async request<M extends HostMethod>(method: M, params: HostParams<M>, options: HostRequestOptions = {}): Promise<HostResult<M>> {
    switch (method) {
      case 'facts':
        this.calls.push('facts');
        return { ready: this.ready, image: null, templates: [] } as never;
      case 'provision': {
        this.calls.push('provision');
        const step: HostStep = { id: 'image', title: 'Golden image with VS Code', weight: 1, state: 'running', plan: [], evidence: 'compiling', progress: 0.5 };
        options.onMessage?.({ v: 1, id: '1', type: 'steps', steps: [step] } as never);
        await new Promise<void>((resolve, reject) => {
          this.finish = (error) => { if (error === undefined) resolve(); else reject(error); };
          options.signal?.addEventListener('abort', () => reject(new VesselError('CANCELLED')));
        });
        this.ready = true;
        return { status: 'success', steps: [], changed: 1 } as never;
      }
      default: return super.request(method, params, options);
    }
  }
}

describe('a computer that is not set up', () => {
  let host: BareHost;
  let world: World;
  beforeEach(async () => {
    host = new BareHost();
    world = await makeWorld({ host });
  });
  afterEach(() => world.dispose());

  const setups = (): number => host.calls.filter((call) => call === 'provision').length;
  const begin = async (): Promise<void> => {
    world.environments.context.preparation.begin();
    await expect.poll(setups).toBe(1);
  };
  const project = (): Promise<{ readonly id: string }> => world.projects.create({ name: 'A', template: 'node', hostId: 'local', settings: {} });

  it('is set up at the start, and an opening waits for it and shows how far it is', async () => {
    await begin();
    const opening = world.environments.open((await project()).id);
    await expect.poll(() => world.context.operations.get(opening.operationId).steps[0]).toMatchObject({ id: 'prepare', state: 'running', detail: 'Golden image with VS Code: compiling', progress: 0.5 });
    expect(host.calls.some((call) => call.startsWith('start'))).toBe(false);
    host.finish();
    expect(await opening.done).toMatchObject({ state: 'succeeded', steps: expect.arrayContaining([expect.objectContaining({ id: 'prepare', state: 'done' })]) as unknown });
    expect(setups()).toBe(1);
  });

  it('fails an opening with what its setup failed with, and the next opening tries again', async () => {
    await begin();
    const { id } = await project();
    const opening = world.environments.open(id);
    await expect.poll(() => world.context.operations.get(opening.operationId).steps[0]?.state).toBe('running');
    host.finish(new VesselError('PROVISION_FAILED', 'no network'));
    expect((await opening.done).error).toMatchObject({ code: 'PROVISION_FAILED', message: 'no network' });
    const again = world.environments.open(id);
    await expect.poll(setups).toBe(2);
    host.finish();
    expect((await again.done).error).toBeNull();
  });

  it('goes on being set up when the opening that waits is cancelled', async () => {
    await begin();
    const opening = world.environments.open((await project()).id);
    await expect.poll(() => world.context.operations.get(opening.operationId).steps[0]?.state).toBe('running');
    world.context.operations.cancel(opening.operationId);
    expect((await opening.done).state).toBe('cancelled');
    expect(world.context.operations.active(null, 'local')?.kind).toBe('provision');
    host.finish();
    await expect.poll(() => world.context.operations.active(null, 'local')).toBeNull();
  });

  it('is left alone where it was not asked for: neither at the start nor by an opening', async () => {
    const { done } = world.environments.open((await project()).id);
    expect((await done).steps.map(({ id }) => id)).not.toContain('prepare');
    expect(setups()).toBe(0);
  });

  it('is not set up again when it is', async () => {
    host.ready = true;
    world.environments.context.preparation.begin();
    await expect.poll(() => host.calls).toContain('facts');
    await expect.poll(() => world.context.store.hosts.get('local')?.status).toBe('ready');
    expect((await world.environments.open((await project()).id).done).steps[0]?.id).toBe('host');
    expect(setups()).toBe(0);
  });
});
