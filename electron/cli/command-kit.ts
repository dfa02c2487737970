import { InvalidArgumentError, type Command } from 'commander';
import type { Context } from './context.ts';

/**
 * Turns a handler into a commander action. The handler returns the exit code when it is not 0. `A` and `O` are what the
 * registered arguments and options yield; commander has checked them.
 */
export type Use = <A extends readonly unknown[], O extends object>(handler: (context: Context, args: A, options: O) => Promise<number | void>) => (this: Command) => Promise<void>;

/** A whole number in a range, as an option's parser. */
export function integer(from: number, to: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < from || number > to) throw new InvalidArgumentError(`Give a whole number from ${from} to ${to}.`);
    return number;
  };
}
