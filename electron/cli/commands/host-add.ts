import { isAbsolute, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import type { Host, HostProbe } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import { withPrompts } from '../answer-prompts.ts';
import { askLine, canAsk } from '../ask.ts';
import type { Use } from '../command-kit.ts';
import type { Context } from '../context.ts';
import { count, formatAgo, formatBytes } from '../format.ts';
import { renderFacts } from '../table.ts';

type AddOptions = { readonly name?: string; readonly identity?: string; readonly acceptHostKey?: readonly string[] };
const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
const ACCEPT = ['--accept-host-key <fingerprint>', 'trust this key of an unknown host (SHA256:…); once for each machine on the way', collect] as const;

/** add, connect, remove: hosts that are reached over SSH. */
export function registerHostAdd(group: Command, use: Use): void {
  group.command('add').summary('add a machine that is reached over SSH')
    .description('Connects, looks what the machine is, and remembers it; installs nothing. The fingerprint of an unknown host is shown and must be confirmed: without a terminal by --accept-host-key. Passphrases, passwords and codes are asked for on a terminal only.')
    .argument('<target>', 'user@host[:port], ssh://user@host:port, or an alias of ~/.ssh/config')
    .option('--name <name>', 'what to call it (default: the name of the machine)')
    .option('--identity <file>', 'use this private key and no other')
    .option(...ACCEPT)
    .action(use(async (context, [target]: [string], options: AddOptions) => {
      const identityFile = options.identity === undefined ? undefined : absolute(context, options.identity);
      const host = await trusting(context, options.acceptHostKey ?? [], (acceptHostKeys, promptScope) => context.session.call('hosts.add', { target, name: options.name, identityFile, acceptHostKeys, promptScope }));
      context.output.result(host, () => `${probeText(context, host)}\nAdded as ${host.id}. Make it ready with: vessel host provision ${host.id}`);
    }));

  group.command('connect').summary('connect to a host again, answering its questions').description('For a host whose line is down because it wants a password, a code, or a confirmation of its key.')
    .argument('<host>', 'the host')
    .option(...ACCEPT)
    .action(use(async (context, [hostId]: [string], options: AddOptions) => {
      const host = await trusting(context, options.acceptHostKey ?? [], (acceptHostKeys, promptScope) => context.session.call('hosts.connect', { hostId, acceptHostKeys, promptScope }));
      context.output.result(host, () => probeText(context, host));
    }));

  group.command('remove').alias('rm').summary('forget a machine').description('Forgets the machine, its confirmed key and its password. What is installed there stays: unprovision it first. Refused while projects are on it.')
    .argument('<host>', 'the host')
    .action(use(async (context, [hostId]: [string]) => {
      await context.session.call('hosts.remove', { hostId });
      context.output.result({ removed: hostId }, () => `Removed ${hostId}`);
    }));
}

/** What a machine is, before anything is installed on it. */
export function probeText(context: Context, host: Host): string {
  const { probe, ssh, connection } = host;
  return renderFacts([
    ['host', `${host.name} (${host.id})`],
    ['target', ssh?.target ?? '-'],
    ['connection', connection?.state ?? 'none'],
    ...(probe === undefined ? [] : machine(probe)),
    ['status', { text: host.status, format: host.status === 'ready' ? 'green' : 'yellow' }],
    ...(probe === undefined ? [] : [['seen', formatAgo(probe.probedAt, context.runtime.now())] as const]),
  ], context.output.style);
}

function machine(probe: HostProbe): readonly (readonly [string, string])[] {
  return [
    ['machine', `${probe.hostname}, ${probe.os.name}, ${probe.kernel}, ${probe.architecture}, ${count(probe.cpus, 'CPU')}`],
    ['user', `${probe.user} (${probe.uid}), sudo: ${probe.sudo}`],
    ['memory', `${formatBytes(probe.memoryAvailableBytes)} of ${formatBytes(probe.memoryTotalBytes)} free`],
    ['disk', `${formatBytes(probe.diskFreeBytes)} free`],
    ['/dev/kvm', probe.kvm],
    ['round trip', `${Math.round(probe.roundTripMs)} ms`],
  ];
}

const SeenKey = z.object({ name: z.string(), type: z.string(), fingerprint: z.string() });

/** Asks on a terminal whether an unknown key is the right one, for each machine on the way; elsewhere the failure carries the fingerprint. */
async function trusting(context: Context, given: readonly string[], work: (acceptHostKeys: string[], scope: string | undefined) => Promise<Host>): Promise<Host> {
  const accepted = [...given];
  for (;;) {
    try {
      return await withPrompts(context, (scope) => work([...accepted], scope));
    } catch (error) {
      const seen = error instanceof VesselError && (error.code === 'HOST_KEY_UNKNOWN' || error.code === 'HOST_KEY_AUTHORITY') ? SeenKey.safeParse(error.details).data : undefined;
      // A fingerprint that was named on the command line and is not the one seen is no question but an alarm.
      if (seen === undefined || given.length > 0 || !canAsk(context.runtime) || context.output.json || accepted.includes(seen.fingerprint)) throw error;
      context.output.note(`${seen.name} is seen for the first time.\nIts ${seen.type} key is ${seen.fingerprint}`);
      const answer = await askLine(context.runtime, 'Is that the fingerprint its administrator gives? Type yes or the fingerprint', true, new AbortController().signal);
      if (answer?.trim() !== 'yes' && answer?.trim() !== seen.fingerprint) throw error;
      accepted.push(seen.fingerprint);
    }
  }
}

function absolute({ runtime }: Context, path: string): string {
  if (path.startsWith('~/')) return join(runtime.homeDirectory, path.slice(2));
  return isAbsolute(path) ? path : resolve(runtime.cwd, path);
}
