import type { Command, Option } from 'commander';
import { EXIT_MEANINGS } from './exit-codes.ts';

/** The commands chapter of `docs/cli.md`, made from the very objects that print `--help`. */
export function renderReference(program: Command): string {
  return [
    '## Options of every command', '', options(program.options), '',
    '## Exit codes', '', '| code | meaning |', '|---|---|', ...Object.entries(EXIT_MEANINGS).map(([code, meaning]) => `| ${code} | ${meaning} |`), '',
    '`exec` and `shell` end with the code of the command that ran, and with 128 + n when signal n ended it; `vessel` itself interrupted by signal n ends with 128 + n too.', '',
    ...program.commands.filter((command) => command.name() !== 'help').flatMap((command) => chapter(command, 'vessel')),
  ].join('\n').trimEnd().concat('\n');
}

function chapter(command: Command, parent: string): string[] {
  const path = `${parent} ${command.name()}`;
  if (command.commands.length > 0) return command.commands.flatMap((child) => chapter(child, path));
  const names = command.aliases().length === 0 ? '' : ` (also \`${command.aliases().join('`, `')}\`)`;
  return [
    `## \`${path}\``, '', `\`\`\`\n${path} ${command.usage()}\n\`\`\``, '', `${command.description()}${names}`, '',
    ...(command.registeredArguments.length === 0 ? [] : [
      '| argument | |', '|---|---|',
      ...command.registeredArguments.map((argument) => `| \`${cell(argument.name())}\` | ${cell(argument.description)}${allowed(argument.argChoices)}${fallback(argument.defaultValue)} |`), '',
    ]),
    ...(command.options.length === 0 ? [] : [options(command.options), '']),
  ];
}

const options = (all: readonly Option[]): string => ['| option | |', '|---|---|', ...all.map((option) =>
  `| \`${cell(option.flags)}\` | ${cell(option.description)}${allowed(option.argChoices)}${option.negate ? '' : fallback(option.defaultValue)} |`)].join('\n');
const cell = (text: string): string => text.replaceAll('|', '\\|');
const allowed = (choices: readonly string[] | undefined): string => choices === undefined ? '' : ` (${choices.map((choice) => `\`${choice}\``).join(', ')})`;
const fallback = (value: unknown): string => value === undefined ? '' : `; default \`${String(value)}\``;

export const REFERENCE_BEGIN = '<!-- reference: written by `node electron/cli/write-reference.ts`, do not edit below -->';
