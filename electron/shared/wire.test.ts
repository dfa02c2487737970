import { describe, expect, it } from 'vitest';
import type { CallContext, Handlers } from './contract.ts';
import { VesselError } from './errors.ts';
import { channelPair } from './wire.ts';
import { createWireClient } from './wire-client.ts';
import { serveWire } from './wire-server.ts';

type Parts = {
  readonly info?: (context: CallContext) => Promise<unknown>;
  readonly watch?: (context: CallContext) => AsyncIterable<unknown>;
};

function connect(parts: Parts) {
  const handlers = {
    calls: { 'app.quit': async (_input: unknown, context: CallContext) => parts.info?.(context) ?? { ok: true } },
    streams: { 'operations.watch': (_input: unknown, context: CallContext) => parts.watch?.(context) },
  } as unknown as Handlers;
  const [near, far] = channelPair();
  serveWire(handlers, far);
  return { client: createWireClient(near), near, far };
}

const line = (seq: number) => ({ kind: 'log', line: { seq, at: 1, stepId: null, level: 'info', text: `line ${seq}` } });

describe('the wire', () => {
  it('answers a call with a value that fits the contract', async () => {
    const { client } = connect({});
    await expect(client.call('app.quit', {})).resolves.toEqual({ ok: true });
  });

  it('refuses an answer that does not fit the contract', async () => {
    const { client } = connect({ info: async () => ({ ok: 'maybe' }) });
    await expect(client.call('app.quit', {})).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  it('refuses input that does not fit, naming the field', async () => {
    const { client } = connect({});
    await expect(client.call('app.quit', { force: 'yes' } as never)).rejects.toMatchObject({ code: 'BAD_REQUEST', message: expect.stringContaining('force') as string });
  });

  it('carries an error with its code, hint and details', async () => {
    const { client } = connect({ info: async () => { throw new VesselError('DISK_FULL', 'no room', { details: { freeBytes: 0 } }); } });
    await expect(client.call('app.quit', {})).rejects.toMatchObject({ code: 'DISK_FULL', message: 'no room', retryable: true, details: { freeBytes: 0 } });
  });

  it('aborts the handler when the caller cancels', async () => {
    let aborted = false;
    const { client } = connect({ info: (context) => new Promise((resolve) => context.signal.addEventListener('abort', () => { aborted = true; resolve({ ok: true }); })) });
    const controller = new AbortController();
    const result = client.call('app.quit', {}, { signal: controller.signal });
    setTimeout(() => controller.abort(), 5);
    await expect(result).rejects.toMatchObject({ code: 'CANCELLED' });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(aborted).toBe(true);
  });

  it('streams items in order and ends', async () => {
    const { client } = connect({ watch: async function* () { yield line(1); yield line(2); yield line(3); } });
    const seen: number[] = [];
    for await (const event of client.stream('operations.watch', { operationId: 'x' })) if (event.kind === 'log') seen.push(event.line.seq);
    expect(seen).toEqual([1, 2, 3]);
  });

  it('stops the producer when the consumer leaves the loop', async () => {
    let stopped = false;
    const { client } = connect({
      watch: async function* (context) {
        context.signal.addEventListener('abort', () => { stopped = true; });
        for (let seq = 1; !context.signal.aborted; seq += 1) { yield line(seq); await new Promise((resolve) => setTimeout(resolve, 1)); }
      },
    });
    for await (const event of client.stream('operations.watch', { operationId: 'x' })) if (event.kind === 'log' && event.line.seq === 2) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(stopped).toBe(true);
  });

  it('fails what is under way when the connection closes, and aborts it on the other side', async () => {
    let aborted = false;
    const { client, near } = connect({ info: (context) => new Promise(() => context.signal.addEventListener('abort', () => { aborted = true; })) });
    const result = client.call('app.quit', {});
    await new Promise((resolve) => setTimeout(resolve, 5));
    near.close();
    await expect(result).rejects.toMatchObject({ code: 'HOST_UNREACHABLE', retryable: true });
    expect(aborted).toBe(true);
    await expect(client.call('app.quit', {})).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
  });
});
