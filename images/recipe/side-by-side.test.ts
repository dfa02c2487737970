import { expect, it } from 'vitest';
import { buildProgress } from './progress.ts';
import { run } from './run.ts';
import { sideBySide } from './side-by-side.ts';

const sleeper = (signal: AbortSignal): Promise<string> => run(['sleep', '600'], { what: 'Sleeping', signal });

it('two works run at the same time: each sees the other begin', async () => {
  const meet = (own: PromiseWithResolvers<string>, other: PromiseWithResolvers<string>, name: string) => async () => { own.resolve(name); return other.promise; };
  const [one, two] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
  expect(await sideBySide([meet(one, two, 'one'), meet(two, one, 'two')], undefined)).toEqual(['two', 'one']);
});

it('what fails first is thrown, and the other work is ended, not left behind', async () => {
  let left: Promise<string> | undefined;
  const failure = sideBySide([(signal) => left = sleeper(signal), () => run(['false'], { what: 'Failing' })], undefined);
  await expect(failure).rejects.toMatchObject({ code: 'PROVISION_FAILED', message: expect.stringContaining('Failing') as string });
  await expect(left).rejects.toMatchObject({ code: 'CANCELLED' });
});

it('a cancel ends both', async () => {
  const cancel = new AbortController();
  const both = sideBySide([sleeper, sleeper], cancel.signal);
  cancel.abort();
  await expect(both).rejects.toMatchObject({ code: 'CANCELLED' });
});

it('progress of layers that are built side by side adds up and never goes back', () => {
  const seen: number[] = [];
  const progress = buildProgress(({ progress: fraction }) => seen.push(fraction), () => undefined);
  const [system, ide] = [progress.stage('system'), progress.stage('ide')];
  for (const [say, percent] of [[ide, 10], [system, 50], [ide, 25], [system, 100], [ide, 100]] as const) say(`VESSEL ${percent} working`);
  progress.stage('assemble')('VESSEL 100 there');
  expect(seen).toEqual(seen.toSorted((one, other) => one - other));
  expect(seen.at(-1)).toBeCloseTo(1);
});
