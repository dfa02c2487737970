import { describe, it } from 'vitest';

/** A group of tests that needs something of the machine. `why` it cannot run here stands in the output, once; null runs it. */
export function describeUnless(why: string | null, name: string, body: () => void | Promise<void>): void {
  if (why === null) describe(name, body);
  else describe(name, () => { it('cannot run here', (context) => context.skip(why)); });
}
