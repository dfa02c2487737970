import { expect, it } from 'vitest';
import type { Client } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { OperationEvent } from '#shared/operation.ts';
import { operation } from '../testing/fixture-data.ts';
import { followOperation } from './follow-operation.ts';

const running = operation('op', 'open', 'Open', 0, [], { state: 'running' });
const ended = operation('op', 'open', 'Open', 0, [], { state: 'succeeded' });
const line = (seq: number): OperationEvent => ({ kind: 'log', line: { seq, at: seq, stepId: null, level: 'info', text: `line ${seq}` } });

/** A client whose `operations.watch` plays one script per subscription; a script may end in an error. */
function scripted(scripts: readonly (readonly (OperationEvent | VesselError)[])[], asked: number[]): Client {
  let turn = 0;
  const stream = async function* (_name: string, input: { readonly afterSeq?: number }): AsyncIterable<OperationEvent> {
    asked.push(input.afterSeq ?? 0);
    const script = scripts[Math.min(turn, scripts.length - 1)] ?? [];
    turn += 1;
    for (const item of script) {
      if (item instanceof VesselError) throw item;
      yield item;
    }
  };
  return { call: () => Promise.reject(new VesselError('NOT_FOUND')), stream: stream as unknown as Client['stream'] };
}

it('continues behind the last line it has after a lost connection, and shows no line twice', async () => {
  const asked: number[] = [];
  const client = scripted([
    [{ kind: 'operation', operation: running }, line(1), line(2), new VesselError('HOST_UNREACHABLE')],
    [line(2), line(3), { kind: 'operation', operation: ended }],
  ], asked);
  const seen: number[] = [];
  const states: string[] = [];
  await followOperation(client, 'op', { onOperation: (next) => states.push(next.state), onLine: (next) => seen.push(next.seq) }, new AbortController().signal);
  expect(seen).toEqual([1, 2, 3]);
  expect(asked).toEqual([0, 2]);
  expect(states).toEqual(['running', 'succeeded']);
});

it('rejects when there is no such operation instead of asking for ever', async () => {
  const client = scripted([[new VesselError('NOT_FOUND')]], []);
  await expect(followOperation(client, 'gone', { onOperation: () => undefined, onLine: () => undefined }, new AbortController().signal)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

it('stops when nobody listens any more', async () => {
  const controller = new AbortController();
  const client = scripted([[{ kind: 'operation', operation: running }]], []);
  const done = followOperation(client, 'op', { onOperation: () => controller.abort(), onLine: () => undefined }, controller.signal);
  await expect(done).resolves.toBeUndefined();
});
