import { expect, test } from 'vitest';
import { newLines } from './commands/logs.ts';

test('following a log shows each line once, whatever part of it each look returns', () => {
  expect(newLines(['a', 'b'], ['a', 'b', 'c', 'd'])).toEqual(['c', 'd']);
  expect(newLines(['y', 'a', 'b'], ['x', 'y', 'a', 'b'])).toEqual([]);
  expect(newLines(['a', 'b', 'c'], ['b', 'c', 'd'])).toEqual(['d']);
  expect(newLines(['=', '=', '='], ['=', '=', '=', '='])).toEqual([]); // equal lines cannot be told apart: none twice
  expect(newLines(['old'], ['new', 'boot'])).toEqual(['new', 'boot']);
  expect(newLines([], ['a'])).toEqual(['a']);
});
