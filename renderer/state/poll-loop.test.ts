import { expect, it } from 'vitest';
import { VesselError } from '#shared/errors.ts';
import { pollLoop } from './poll-loop.ts';

it('asks on after INTERNAL, after an error that was thrown at once, and stops when it is told to', async () => {
  const controller = new AbortController();
  const told: unknown[] = [];
  let asked = 0;
  const work = (): Promise<void> => {
    asked += 1;
    if (asked === 1) return Promise.reject(new VesselError('INTERNAL'));
    if (asked === 2) throw new TypeError('at once');
    controller.abort();
    return Promise.resolve();
  };
  await pollLoop({ work, everyMs: 0, wanted: () => true, onError: (error) => told.push(error), signal: controller.signal });
  expect(asked).toBe(3);
  expect(told).toMatchObject([{ code: 'INTERNAL' }, { message: 'at once' }]);
});

it('says nothing about a question that was cut off by the end', async () => {
  const controller = new AbortController();
  const told: unknown[] = [];
  const work = (): Promise<void> => { controller.abort(); return Promise.reject(new VesselError('CANCELLED')); };
  await pollLoop({ work, everyMs: 0, wanted: () => true, onError: (error) => told.push(error), signal: controller.signal });
  expect(told).toEqual([]);
});
