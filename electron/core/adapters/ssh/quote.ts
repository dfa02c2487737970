import { VesselError } from '#shared/errors.ts';

/** What POSIX shells take literally without quotes. `=` and `~` are left out: at a word's start they mean something. */
const PLAIN = /^[A-Za-z0-9_@%+:,./-]+$/;

/**
 * An argument array as one command line of a POSIX shell: SSH knows only a string, which the login shell of the host parses.
 * This is the only place where such a string is made. Throws BAD_REQUEST for what no argument can hold.
 */
export function quoteCommand(argv: readonly string[]): string {
  if (argv.length === 0) throw new VesselError('BAD_REQUEST', 'A command needs at least its program');
  return argv.map(quoteArgument).join(' ');
}

function quoteArgument(argument: string): string {
  if (argument.includes('\0')) throw new VesselError('BAD_REQUEST', 'An argument must not hold a NUL character');
  if (PLAIN.test(argument)) return argument;
  return `'${argument.replaceAll("'", `'\\''`)}'`;
}
