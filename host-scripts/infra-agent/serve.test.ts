import { PassThrough } from 'node:stream';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VesselError } from '#shared/errors.ts';
import { HostMessageSchema } from '#shared/host-protocol.ts';
import type { HostMessage, Vm } from '#shared/host-protocol.ts';
import type { Host } from './request-context.ts';
import { serve } from './serve.ts';

const vm: Vm = {
  id: 'one', driver: 'process', state: 'running', tier: 'medium', address: null, token: null, startKind: 'clone', createdAt: 1, startedAt: 2, imageKey: 'i', pid: 1, problem: null,
};

describe('the service on standard input and output', () => {
  let input = new PassThrough();
  let done: Promise<void> = Promise.resolve();
  let vms: readonly Vm[] = [];
  const messages: HostMessage[] = [];
  const unused = (): never => { throw new VesselError('INTERNAL', 'not in this test'); };
  const host: Host = {
    hello: () => Promise.resolve({ v: 1, agentVersion: 'test', pid: 1 }), facts: unused, doctor: unused, provision: unused, unprovision: unused, stop: unused, inspect: unused, logs: unused,
    list: () => Promise.resolve({ vms: [...vms] }),
    start: (_params, { signal, stage }) => {
      stage('hypervisor', 0.5);
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(VesselError.from(signal.reason)));
      });
    },
    watchVms: () => Promise.resolve(vms), close: () => Promise.resolve(),
  };
  const say = (message: object | string): void => { input.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`); };
  const request = (id: number, method: string, params: object = {}, v = 1): void => say({ v, type: 'request', id, method, params });
  const answer = async <T extends HostMessage['type']>(type: T): Promise<Extract<HostMessage, { type: T }>> => {
    await expect.poll(() => messages.some((message) => message.type === type)).toBe(true);
    return messages.find((message) => message.type === type) as Extract<HostMessage, { type: T }>;
  };

  beforeEach(() => {
    input = new PassThrough();
    const output = new PassThrough();
    messages.length = 0;
    vms = [];
    createInterface({ input: output }).on('line', (line) => messages.push(HostMessageSchema.parse(JSON.parse(line))));
    done = serve({ input, output, host, signal: new AbortController().signal, leaseMs: null });
  });
  afterEach(async () => {
    input.end();
    await done;
  });

  it('answers a line that is not JSON with a log message and goes on', async () => {
    say('{ nonsense');
    expect(await answer('log')).toMatchObject({ id: null, level: 'error' });
    request(1, 'hello', { client: 'test' });
    expect(await answer('result')).toMatchObject({ id: 1, result: { agentVersion: 'test' } });
  });

  it('leaves when it has heard nothing for its lease, which an empty line renews', async () => {
    const wire = new PassThrough();
    let over = false;
    const leased = serve({ input: wire, output: new PassThrough(), host, signal: new AbortController().signal, leaseMs: 120 }).then(() => { over = true; });
    for (let signs = 0; signs < 6; signs += 1) {
      wire.write('\n');
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    expect(over).toBe(false);
    await leased;
  });

  it('refuses another version of the protocol with HOST_VERSION', async () => {
    request(3, 'hello', { client: 'test' }, 2);
    expect(await answer('error')).toMatchObject({ id: 3, error: { code: 'HOST_VERSION' } });
  });

  it('refuses unknown methods and malformed parameters', async () => {
    request(1, 'format-disk');
    expect(await answer('error')).toMatchObject({ id: 1, error: { code: 'BAD_REQUEST' } });
    messages.length = 0;
    request(2, 'start', { id: '../escape' });
    expect(await answer('error')).toMatchObject({ id: 2, error: { code: 'BAD_REQUEST' } });
  });

  it('ignores fields it does not know', async () => {
    say({ v: 1, type: 'request', id: 1, method: 'hello', params: { client: 'x', later: true }, more: 1 });
    expect(await answer('result')).toMatchObject({ id: 1 });
  });

  it('reports stages, and cancels one request while it serves others', async () => {
    request(1, 'start', { id: 'one' });
    expect(await answer('stage')).toMatchObject({ id: 1, stage: 'hypervisor', progress: 0.5 });
    request(2, 'list');
    expect(await answer('result')).toMatchObject({ id: 2 });
    say({ v: 1, type: 'cancel', id: 1 });
    expect(await answer('error')).toMatchObject({ id: 1, error: { code: 'CANCELLED' } });
  });

  it('cancels and awaits what is under way when the input ends', async () => {
    request(1, 'start', { id: 'one' });
    await answer('stage');
    input.end();
    await done;
    expect(messages.at(-1)).toMatchObject({ type: 'error', id: 1, error: { code: 'CANCELLED' } });
  });

  it('tells unasked about a VM that appears, breaks and vanishes', async () => {
    vms = [vm];
    expect(await answer('vm')).toMatchObject({ vm: { id: 'one', state: 'running' } });
    messages.length = 0;
    vms = [{ ...vm, state: 'broken', problem: 'gone' }];
    expect(await answer('vm')).toMatchObject({ vm: { state: 'broken', problem: 'gone' } });
    messages.length = 0;
    vms = [];
    expect(await answer('vm')).toMatchObject({ vm: { id: 'one', state: 'stopped', token: null } });
  });
});
