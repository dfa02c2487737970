import { styleText } from 'node:util';
import type { OutputStream } from './runtime.ts';

type Format = 'red' | 'green' | 'yellow' | 'cyan' | 'dim' | 'bold';
export type Style = (format: Format, text: string) => string;

/** Colours only on a terminal that wants them (no-color.org, `TERM=dumb`); `FORCE_COLOR` insists. */
export function makeStyle(stream: OutputStream, env: Readonly<Record<string, string | undefined>>): Style {
  const refused = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  const asked = (env['FORCE_COLOR'] ?? '') !== '' && env['FORCE_COLOR'] !== '0';
  const coloured = !refused && (asked || stream.isTTY === true);
  return (format, text) => coloured ? styleText(format, text, { validateStream: false }) : text;
}

/** Everything that a guest, an archive or a person named goes through one of these before a terminal sees it. */
export { visible as printable, visibleLine as oneLine } from '#shared/visible-text.ts';
