import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Command } from 'commander';
import { ERROR_CODES, type ErrorCode } from '#shared/errors.ts';
import { EXIT_MEANINGS, exitCodeOf, exitCodeOfSignal } from './exit-codes.ts';
import { buildProgram } from './program.ts';
import { REFERENCE_BEGIN, renderReference } from './reference.ts';

const program = buildProgram('', () => { throw new Error('no command runs here'); }, () => undefined);

test('docs/cli.md says what --help says (else: node electron/cli/write-reference.ts)', () => {
  const [, written] = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8').split(REFERENCE_BEGIN);
  expect(written?.trim()).toBe(renderReference(program).trim());
});

test('every command has a summary, a description, and a text for each argument and option', () => {
  const walk = (command: Command): void => {
    expect(command.description(), command.name()).not.toBe('');
    for (const argument of command.registeredArguments) expect(argument.description, `${command.name()} ${argument.name()}`).not.toBe('');
    for (const option of command.options) expect(option.description, `${command.name()} ${option.flags}`).not.toBe('');
    for (const child of command.commands) {
      expect(child.summary(), child.name()).not.toBe('');
      walk(child);
    }
  };
  walk(program);
});

test('every error ends with a documented code, and signals with 128 plus their number', () => {
  for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) expect(EXIT_MEANINGS[exitCodeOf(code)], code).toBeDefined();
  expect([exitCodeOf('NOT_FOUND'), exitCodeOf('BUSY'), exitCodeOf('HOST_NOT_READY'), exitCodeOf('CANCELLED'), exitCodeOf('SERVER_UNREACHABLE'), exitCodeOf('DISK_FULL')]).toEqual([3, 4, 5, 6, 7, 1]);
  expect([exitCodeOfSignal('SIGINT'), exitCodeOfSignal('SIGKILL'), exitCodeOfSignal('SIGWHAT')]).toEqual([130, 137, 143]);
});
