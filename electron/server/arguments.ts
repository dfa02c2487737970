import { parseArgs } from 'node:util';
import { VesselError } from '#shared/errors.ts';

export type ServerArguments = {
  /** Null: the port used last, else 80 if possible, else a free one. */
  readonly port: number | null;
  readonly open: boolean;
  readonly json: boolean;
  readonly home: string | null;
  readonly cache: string | null;
  /** The first line of the standard input holds the key that seals secrets. Never an argument: those are for everybody to read. */
  readonly secretKeyOnStdin: boolean;
  readonly help: boolean;
};

export const USAGE = `Usage: vessel serve [--port N] [--no-open] [--json] [--home DIR] [--cache DIR]

  --port N     the loopback port (default: the one used last, else 80 if possible)
  --no-open    do not open a browser
  --json       print one JSON line when ready: {"url","baseUrl","port","pid"}
  --home DIR   where Vessel keeps its state (default: $VESSEL_HOME)
  --cache DIR  where Vessel keeps what it can rebuild (default: $VESSEL_CACHE)
`;

/** Throws BAD_REQUEST. */
export function parseArguments(argv: readonly string[]): ServerArguments {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...argv], strict: true, allowPositionals: false, allowNegative: true,
      options: { port: { type: 'string' }, open: { type: 'boolean', default: true }, json: { type: 'boolean', default: false }, 'secret-key-stdin': { type: 'boolean', default: false }, home: { type: 'string' }, cache: { type: 'string' }, help: { type: 'boolean', default: false } },
    }));
  } catch (error) {
    throw new VesselError('BAD_REQUEST', error instanceof Error ? error.message : String(error), { hint: 'See --help.', cause: error });
  }
  const port = values.port === undefined ? null : Number(values.port);
  if (port !== null && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) throw new VesselError('BAD_REQUEST', '--port must be a number from 0 to 65535');
  return { port, open: values.open, json: values.json, home: values.home ?? null, cache: values.cache ?? null, secretKeyOnStdin: values['secret-key-stdin'], help: values.help };
}
