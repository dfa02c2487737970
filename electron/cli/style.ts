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

// C0 but tab and newline, DEL, C1, and the two bidirectional override families.
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Text that came from a guest, an archive or a name: cannot move the cursor, recolour or retitle the reader's terminal. */
export const printable = (text: string): string => text.replace(CONTROL, '\u00b7');
/** The same on one line. */
export const oneLine = (text: string): string => printable(text.replace(/[\n\t]+/g, ' '));
