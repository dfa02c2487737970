import { expect, test } from 'vitest';
import { helpOf, separateExecCommand } from './arguments-rewrite.ts';

test('the command of the guest begins at the second operand of exec', () => {
  expect(separateExecCommand(['exec', 'demo', 'ls', '-la', '--json'])).toEqual(['exec', 'demo', '--', 'ls', '-la', '--json']);
  expect(separateExecCommand(['--json', 'exec', '-t', '--cwd', 'src', 'demo', '-e', 'A=1', 'node', '--version'])).toEqual(['--json', 'exec', '-t', '--cwd', 'src', 'demo', '-e', 'A=1', '--', 'node', '--version']);
});

test('a line that separates itself, or is not exec, stays as it is', () => {
  for (const line of [['exec', 'demo', '--tty', '--', 'ls', '--', '-x'], ['open', 'exec', 'x'], ['exec', 'demo'], []]) expect(separateExecCommand(line)).toEqual(line);
});

test('help of a nested command is its --help', () => {
  expect(helpOf(['help', 'project', 'list'])).toEqual(['project', 'list', '--help']);
  expect(helpOf(['help'])).toEqual(['help']);
  expect(helpOf([])).toEqual(['--help']);
});
