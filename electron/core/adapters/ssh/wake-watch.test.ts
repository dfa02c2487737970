import type { NetworkInterfaceInfo } from 'node:os';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { watchForWaking } from './wake-watch.ts';

const network = vi.hoisted(() => ({ address: '192.0.2.1' }));
vi.mock('node:os', async (original) => ({ ...await original<object>(), networkInterfaces: () => ({ eth0: [{ address: network.address } as NetworkInterfaceInfo] }) }));

describe('the watch over this computer', () => {
  const suspicions: string[] = [];
  let stop: () => void = () => undefined;
  beforeEach(() => {
    vi.useFakeTimers();
    suspicions.length = 0;
    network.address = '192.0.2.1';
    stop = watchForWaking((why) => suspicions.push(why));
  });
  afterEach(() => { stop(); vi.useRealTimers(); });

  it('says nothing while nothing happens, nor when a tick is a little late', () => {
    vi.advanceTimersByTime(60_000);
    vi.setSystemTime(Date.now() + 5_000);
    vi.advanceTimersByTime(60_000);
    expect(suspicions).toEqual([]);
  });

  it('suspects the line once when the computer was asleep', () => {
    vi.advanceTimersByTime(9_000);
    vi.setSystemTime(Date.now() + 3_600_000);
    vi.advanceTimersByTime(9_000);
    expect(suspicions).toEqual(['the computer woke up']);
  });

  it('suspects the line once when the computer has other addresses', () => {
    network.address = '198.51.100.7';
    vi.advanceTimersByTime(9_000);
    expect(suspicions).toEqual(['the network changed']);
  });

  it('is over when it is stopped', () => {
    stop();
    network.address = '198.51.100.7';
    vi.advanceTimersByTime(60_000);
    expect(suspicions).toEqual([]);
  });
});
