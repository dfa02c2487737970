import { invalidLine, type ConfigLine } from './config-line.ts';

const UNIT_SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
/** Longer than any number that means something; timers of Node end at 2^31 ms. */
const MOST_SECONDS = 2_147_483;

/** Milliseconds of a time of ssh_config(5) (`90`, `1m30s`, `1W`), at most what a timer can wait. Throws SSH_CONFIG_INVALID. */
export function milliseconds(line: ConfigLine): number {
  const text = single(line);
  if (text === '' || !/^(?:\d+[smhdw])*\d*$/i.test(text)) throw invalidLine(line, `"${text}" is no time (as 30, 90s, 1m30s)`);
  const seconds = [...text.matchAll(/(\d+)([smhdw]?)/gi)].reduce((sum, [, number, unit]) => sum + Number(number) * (UNIT_SECONDS[(unit ?? '').toLowerCase()] ?? 1), 0);
  return Math.min(seconds, MOST_SECONDS) * 1000;
}

/** Throws SSH_CONFIG_INVALID unless it is a whole number from 0. */
export function wholeNumber(line: ConfigLine): number {
  const text = single(line);
  if (!/^\d{1,9}$/.test(text)) throw invalidLine(line, `"${text}" is no whole number`);
  return Number(text);
}

/** A port from 1 to 65535. Throws SSH_CONFIG_INVALID. */
export function portNumber(line: ConfigLine): number {
  // OpenSSH looks names of services up; this one is all that is ever written.
  if (single(line) === 'ssh') return 22;
  const port = wholeNumber(line);
  if (port < 1 || port > 65_535) throw invalidLine(line, `"${single(line)}" is no port`);
  return port;
}

/** `yes` and `no`, also as `true` and `false`. Throws SSH_CONFIG_INVALID. */
export function flag(line: ConfigLine): boolean {
  const text = single(line).toLowerCase();
  if (text === 'yes' || text === 'true') return true;
  if (text === 'no' || text === 'false') return false;
  throw invalidLine(line, `"${single(line)}" is neither yes nor no`);
}

/** The only value of a line. Throws SSH_CONFIG_INVALID when it is empty or followed by another. */
export function single(line: ConfigLine): string {
  const [value, ...more] = line.args;
  if (value === undefined || value === '') throw invalidLine(line, `no value for ${line.keyword}`);
  if (more.length > 0) throw invalidLine(line, `"${more.join(' ')}" is too much after the value of ${line.keyword}`);
  return value;
}
