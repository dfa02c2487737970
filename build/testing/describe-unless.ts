import { describe, it } from 'vitest';

/** A group of tests that needs something of the machine. `why` it cannot run here stands in the output, once; null runs it. */
export function describeUnless(why: string | null, name: string, body: () => void | Promise<void>): void {
  if (why === null) describe(name, body);
  else describe(name, () => { it('cannot run here', (context) => context.skip(why)); });
}

/** The same for one test. */
export function itUnless(why: string | null, name: string, body: () => void | Promise<void>): void {
  it(name, why === null ? body : (context) => context.skip(why));
}

/** For what only Linux can tell or do. */
export const NOT_LINUX = process.platform === 'linux' ? null : 'needs Linux';
/** For what takes another user. */
export const NOT_ROOT = process.getuid?.() === 0 ? null : 'needs root';
