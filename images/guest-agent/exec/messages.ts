import { constants } from 'node:os';
import type { ExecClientMessage } from '#shared/guest-protocol.ts';
import { VesselError } from '#shared/vessel-error.ts';

const bad = (what: string): never => {
  throw new VesselError('BAD_REQUEST', `exec: ${what}`);
};
const isSize = (value: unknown): value is number => typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 10_000;
const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Checks one text message of an exec WebSocket by hand. Throws BAD_REQUEST. */
export function parseExecMessage(text: string): ExecClientMessage {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new VesselError('BAD_REQUEST', 'exec: not JSON', { cause: error });
  }
  if (!isRecord(value)) return bad('expected an object');
  switch (value['type']) {
    case 'start': {
      const { argv, cwd = '', env = {}, pty = null } = value;
      if (!Array.isArray(argv) || argv.length === 0 || !argv.every((item): item is string => typeof item === 'string' && !item.includes('\0')) || argv[0] === '') return bad('argv');
      if (typeof cwd !== 'string' || cwd.includes('\0')) return bad('cwd');
      if (!isRecord(env) || !Object.values(env).every((item) => typeof item === 'string')) return bad('env');
      if (pty !== null && !(isRecord(pty) && isSize(pty['cols']) && isSize(pty['rows']))) return bad('pty');
      return { type: 'start', argv, cwd, env: env as Record<string, string>, pty: pty as { cols: number; rows: number } | null };
    }
    case 'signal': {
      const { signal } = value;
      return typeof signal === 'string' && signal in constants.signals ? { type: 'signal', signal } : bad('signal');
    }
    case 'resize': {
      const { cols, rows } = value;
      return isSize(cols) && isSize(rows) ? { type: 'resize', cols, rows } : bad('resize');
    }
    case 'stdin-end':
      return { type: 'stdin-end' };
    default:
      return bad('unknown message type');
  }
}
