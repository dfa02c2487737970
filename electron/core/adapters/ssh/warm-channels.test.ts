import { PassThrough, type Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { WarmChannels } from './warm-channels.ts';

let warm: WarmChannels | null = null;
afterEach(() => warm?.dispose());

function shelf(): { readonly warm: WarmChannels; readonly opened: Duplex[]; readonly clock: { now: number }; refuse: boolean } {
  const state = { opened: [] as Duplex[], clock: { now: 1_000 }, refuse: false };
  warm = new WarmChannels(() => {
    if (state.refuse) return Promise.reject(new Error('nothing listens'));
    const stream = new PassThrough();
    state.opened.push(stream);
    return Promise.resolve(stream);
  }, () => state.clock.now);
  return Object.assign(state, { warm });
}

describe('channels that lie ready', () => {
  it('are opened behind the first that worked, handed out at once, and replaced', async () => {
    const state = shelf();
    const first = await state.warm.take('h', 1);
    await turn();
    expect(state.opened).toHaveLength(5);
    const second = await state.warm.take('h', 1);
    expect(state.opened.indexOf(second)).toBeGreaterThan(0);
    expect(second).not.toBe(first);
    await turn();
    expect(state.opened).toHaveLength(6);
  });

  it('are more where more were wanted at once, up to a dozen', async () => {
    const state = shelf();
    const takeTwenty = async (): Promise<void> => { const taken = await Promise.all(Array.from({ length: 20 }, () => state.warm.take('h', 1))); await turn(); for (const stream of taken) stream.destroy(); };
    const lyingReady = (): number => state.opened.filter((stream) => !stream.destroyed).length;
    await takeTwenty();
    expect(lyingReady()).toBe(12);
  });

  it('are not opened where nothing listens, nor for another address', async () => {
    const state = shelf();
    state.refuse = true;
    await expect(state.warm.take('h', 1)).rejects.toThrow('nothing listens');
    state.refuse = false;
    await state.warm.take('h', 2);
    await turn();
    expect(await state.warm.take('h', 1)).toBe(state.opened[5]);
  });

  it('that ended, spoke first or lay too long are not handed out', async () => {
    const state = shelf();
    await state.warm.take('h', 1);
    await turn();
    const [, ended, spoke, old] = state.opened;
    ended?.destroy();
    spoke?.push('HTTP/1.1 408 Request Timeout');
    await turn();
    const taken = await state.warm.take('h', 1);
    expect(taken).toBe(old);
    state.clock.now += 25_000;
    const fresh = await state.warm.take('h', 1);
    expect(state.opened.slice(0, 6)).not.toContain(fresh);
    expect(state.opened[4]?.destroyed).toBe(true);
  });

  it('are let go with the connection', async () => {
    const state = shelf();
    await state.warm.take('h', 1);
    await turn();
    state.warm.dispose();
    expect(state.opened.slice(1).every((stream) => stream.destroyed)).toBe(true);
    await expect(state.warm.take('h', 1)).rejects.toMatchObject({ code: 'INTERRUPTED' });
  });
});
