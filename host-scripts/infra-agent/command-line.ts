import { parseArgs } from 'node:util';
import { VesselError } from '#shared/errors.ts';

export const VERBS = ['serve', 'start', 'stop', 'inspect', 'list', 'logs', 'doctor', 'facts', 'provision', 'unprovision'] as const;
export type Verb = (typeof VERBS)[number];

export type CommandLine = {
  readonly verb: Verb | 'help' | 'version';
  readonly id: string | null;
  readonly options: {
    readonly home: string | undefined; readonly cache: string | undefined; readonly driver: 'qemu' | 'process';
    readonly tier: string[]; readonly mode: string | undefined; readonly timezone: string | undefined;
    readonly deadlineMs: number | undefined; readonly lines: number | undefined; readonly leaseSeconds: number | undefined; readonly dryRun: boolean;
  };
};

export const HELP = `infra-agent: makes, starts and removes microVMs on this host.

Usage: infra-agent <verb> [options]

  serve                    speak the host protocol (JSON lines) on stdin and stdout
                                                      [--lease SECONDS] (leave after such a silence; an empty line is a sign of life)
  start <vm-id>            create and start a VM      [--tier small|medium|large] [--mode auto|clone|cold]
                                                      [--timezone Area/City] [--deadline-ms N]
  stop <vm-id>             stop it and remove every trace
  inspect <vm-id>          what the host knows about it
  list                     all VMs of this host
  logs <vm-id>             the end of its hypervisor and console logs  [--lines N]
  doctor                   check this host stage by stage
  facts                    what this host is and can carry
  provision                install and build what is missing           [--dry-run] [--tier T]…
  unprovision              undo exactly what provisioning did          [--dry-run]

Options of every verb:
  --home DIR      keep this host's state under DIR/host   (VESSEL_HOME)
  --cache DIR     keep rebuildable things in DIR          (VESSEL_CACHE)
  --driver NAME   qemu (default), or process: tests only  (VESSEL_DRIVER)
  --help, --version

Every verb but serve prints one JSON object on stdout and progress on stderr.
Exit codes: 0 success, 1 the JSON object names the error, 2 wrong usage.
`;

const usage = (message: string): VesselError => new VesselError('BAD_REQUEST', message, { hint: 'Run infra-agent --help.' });

function number(value: string | undefined, name: string): number | undefined {
  if (value === undefined) return undefined;
  const parsed = Number(value);
  if (!Number.isInteger(parsed) || parsed <= 0) throw usage(`--${name} takes a positive whole number`);
  return parsed;
}

/** Reads the arguments after the program's name. Throws BAD_REQUEST (exit code 2). */
export function parseCommandLine(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): CommandLine {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...argv], allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' }, home: { type: 'string' }, cache: { type: 'string' }, driver: { type: 'string' },
        tier: { type: 'string', multiple: true }, mode: { type: 'string' }, timezone: { type: 'string' }, 'deadline-ms': { type: 'string' },
        lines: { type: 'string' }, lease: { type: 'string' }, 'dry-run': { type: 'boolean' },
      },
    });
  } catch (error) {
    throw usage(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = parsed;
  const driver = values.driver ?? env['VESSEL_DRIVER'] ?? 'qemu';
  if (driver !== 'qemu' && driver !== 'process') throw usage(`there is no driver ${driver}`);
  const options = {
    home: values.home, cache: values.cache, driver, tier: values.tier ?? [], mode: values.mode, timezone: values.timezone,
    deadlineMs: number(values['deadline-ms'], 'deadline-ms'), lines: number(values.lines, 'lines'), leaseSeconds: number(values.lease, 'lease'), dryRun: values['dry-run'] === true,
  } as const;
  if (values.help === true || positionals[0] === 'help') return { verb: 'help', id: null, options };
  if (values.version === true) return { verb: 'version', id: null, options };
  const [word, id, ...rest] = positionals;
  if (word === undefined) throw usage('a verb is missing');
  const verb = VERBS.find((known) => known === word);
  if (verb === undefined) throw usage(`there is no verb ${word}`);
  const needsId = ['start', 'stop', 'inspect', 'logs'].includes(verb);
  if (needsId && id === undefined) throw usage(`${verb} needs a VM id`);
  if ((!needsId && id !== undefined) || rest.length > 0) throw usage('too many arguments');
  return { verb, id: id ?? null, options };
}
