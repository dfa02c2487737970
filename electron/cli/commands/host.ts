import { Option, type Command } from 'commander';
import { VesselError } from '#shared/errors.ts';
import { HostFactsSchema, ProvisionResultSchema, RequestedDriverSchema, UnprovisionResultSchema, blocksProvisioning, type HostFacts, type HostStep, type ProvisionResult, type RequestedDriver, type UnprovisionResult } from '#shared/host-protocol.ts';
import { withPrompts } from '../answer-prompts.ts';
import { DETACH } from '../arguments.ts';
import type { Use } from '../command-kit.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { count, formatAgo, formatBytes, formatDuration } from '../format.ts';
import { runOperation } from '../run-operation.ts';
import { renderFacts, renderTable, type Cell } from '../table.ts';
import { probeText, registerHostAdd } from './host-add.ts';

const HOST = ['[host]', 'the host; this computer is `local`', 'local'] as const;
type Detach = { readonly detach?: boolean };

export function registerHost(program: Command, use: Use): void {
  const group = program.command('host').summary('the machines that run environments').description('The machines that run environments. This computer is `local`.');

  registerHostAdd(group, use);

  group.command('list').alias('ls').summary('list the hosts').description('All hosts and whether they are ready.')
    .action(use(async (context) => {
      const { hosts } = await context.session.call('hosts.list', {});
      context.output.result({ hosts }, () => renderTable(['id', 'name', 'target', 'status', 'line', 'runs', 'seen'], hosts.map((host): Cell[] => [
        host.id, host.name, host.ssh?.target ?? '-', { text: host.status, format: host.status === 'ready' ? 'green' : 'yellow' }, host.connection?.state ?? '-',
        host.facts === null ? '-' : `${host.facts.capacity.running} (${host.facts.capacity.more} more fit)`, formatAgo(host.factsAt ?? host.probe?.probedAt ?? null, context.runtime.now()),
      ]), context.output.style));
    }));

  group.command('facts').summary('ask a host what it is and has').description('Asks the host now: accelerator, image, templates, room for more; before it is provisioned, what can be seen from outside.')
    .argument(...HOST)
    .action(use(async (context, [hostId]: [string]) => {
      const host = await context.session.call('hosts.refresh', { hostId });
      const { facts } = host;
      // Fresh, but nothing is installed there yet: what the login saw is all there is.
      if (facts === null && host.probe !== undefined && host.status === 'not-provisioned') { context.output.result(host, () => probeText(context, host)); return; }
      if (host.kind === 'ssh' && host.status === 'unreachable' && host.connection?.error != null) throw VesselError.fromShape(host.connection.error);
      if (facts === null) throw new VesselError('HOST_UNREACHABLE', `${hostId} gave no facts (${host.status})`);
      context.output.result(host, () => factsText(context, HostFactsSchema.parse(facts)));
    }));

  group.command('doctor').summary('check a host and name the fix').description('Checks every stage with its evidence and fix. Exit code 5 when something fails.')
    .argument(...HOST)
    .action(use(async (context, [hostId]: [string]) => {
      const result = await context.session.call('hosts.doctor', { hostId });
      const { style } = context.output;
      const words = { ok: style('green', 'ok  '), warn: style('yellow', 'warn'), fail: style('red', 'fail'), skipped: style('dim', 'skip') } as const;
      context.output.result({ hostId, ...result }, () => [
        ...result.checks.flatMap((check) => [
          `${words[check.state]}  ${check.stage}: ${check.evidence} ${style('dim', formatDuration(check.ms))}`,
          ...(check.fix === null ? [] : [`      ${style('cyan', 'fix')}  ${check.fix}`]),
        ]),
        result.healthy ? style('green', 'healthy') : style('red', 'not healthy'),
      ].join('\n'));
      return result.healthy ? EXIT.ok : EXIT.hostNotReady;
    }));

  group.command('provision').summary('make a host ready').description('Installs what is missing, builds the image and the template. Steps that are done are not repeated.')
    .argument(...HOST)
    .option('-n, --dry-run', 'only say what would change')
    .addOption(new Option('--driver <driver...>', 'install this driver besides QEMU').choices(RequestedDriverSchema.options))
    .option(...DETACH)
    .action(use(async (context, [hostId]: [string], options: Detach & { readonly dryRun?: boolean; readonly driver?: RequestedDriver[] }) => {
      const drivers = options.driver ?? [];
      if (options.dryRun === true) {
        const plan = await withPrompts(context, (promptScope) => context.session.call('hosts.plan', { hostId, drivers, ...(promptScope === undefined ? {} : { promptScope }) }));
        context.output.result({ hostId, ...plan }, () => planText(context, plan));
        return;
      }
      const operation = await runOperation(context, () => withPrompts(context, (promptScope) => context.session.call('hosts.provision', { hostId, drivers, ...(promptScope === undefined ? {} : { promptScope }) })), options);
      if (operation === null) return;
      const result = ProvisionResultSchema.safeParse(operation.result).data ?? null;
      context.output.result({ hostId, ...result, operationId: operation.id }, () => result === null || result.changed > 0 ? `${hostId} is ready` : `${hostId} was ready; nothing had to change`);
    }));

  group.command('unprovision').summary('remove what provisioning made').description('Removes exactly what the journal of the host says Vessel made. Projects and their revisions stay.')
    .argument(...HOST)
    .option('-y, --yes', 'yes, remove it')
    .option(...DETACH)
    .action(use(async (context, [hostId]: [string], options: Detach & { readonly yes?: boolean }) => {
      if (options.yes !== true) throw new VesselError('BAD_REQUEST', `This removes the image, the templates and all else that provisioning made on ${hostId}`, { hint: `Say so: \`vessel host unprovision ${hostId} --yes\`.` });
      const operation = await runOperation(context, () => withPrompts(context, (promptScope) => context.session.call('hosts.unprovision', { hostId, ...(promptScope === undefined ? {} : { promptScope }) })), options);
      if (operation === null) return;
      const result = UnprovisionResultSchema.safeParse(operation.result).data ?? null;
      context.output.result({ hostId, ...result, operationId: operation.id }, () => [
        `Removed ${count(result?.removed.length ?? 0, 'thing')} from ${hostId}`, ...(result?.kept ?? []).map(({ item, why }) => `kept ${item}: ${why}`),
        ...proofText(result?.proof ?? []),
      ].join('\n'));
    }));
}

/** What was counted before the first change and after the last. */
function proofText(proof: NonNullable<UnprovisionResult['proof']>): readonly string[] {
  if (proof.length === 0) return [];
  const differing = proof.filter(({ added, gone }) => added.length + gone.length > 0);
  if (differing.length === 0) return [`As it was before: ${proof.map(({ what, after }) => `${after} ${what}`).join(', ')}`];
  return differing.map(({ what, added, gone }) => `differs from before: ${what}: ${[...added.map((name) => `+ ${name}`), ...gone.map((name) => `- ${name}`)].join(', ')}`);
}

/** What provisioning would do, as a person reads it. */
export function planText(context: { readonly output: Pick<Context['output'], 'style'> }, plan: ProvisionResult): string {
  const { style } = context.output;
  const word = (step: HostStep): string => blocksProvisioning(step) ? style('red', 'blocked') : step.state === 'skipped' ? style('dim', 'skipped') : style('green', 'present');
  const lines = plan.steps.flatMap((step) => step.plan.length === 0
    ? [`${word(step)}  ${step.title}${step.evidence === '' ? '' : `  ${blocksProvisioning(step) ? step.evidence : style('dim', step.evidence)}`}`]
    : [`${style('yellow', 'missing')}  ${step.title}`, ...step.plan.map((change) => `           ${change}`)]);
  // Nothing was done yet: `changed` counts what was.
  const wanted = plan.steps.filter((step) => step.plan.length > 0).length;
  const blocked = plan.steps.filter(blocksProvisioning).map(({ title }) => title);
  const end = wanted === 0 ? 'Nothing would change.' : `${count(wanted, 'step')} would change this host.`;
  return [...lines, blocked.length === 0 ? end : `Provisioning would stop: ${blocked.join(', ')}.`].join('\n');
}

function factsText(context: Context, facts: HostFacts): string {
  const now = context.runtime.now();
  return renderFacts([
    ['status', facts.ready ? { text: 'ready', format: 'green' } : { text: 'not ready', format: 'yellow' }],
    ['machine', `${facts.hostname}, ${facts.os}, Linux ${facts.kernel}, ${count(facts.cpus, 'CPU')}`],
    ['memory', `${formatBytes(facts.memoryAvailableBytes)} of ${formatBytes(facts.memoryTotalBytes)} free`],
    ['disk', `${formatBytes(facts.diskFreeBytes)} free`],
    ['accelerator', `${facts.accelerator.kind} (${facts.accelerator.why})`],
    ['driver', `${facts.driver}${facts.qemuVersion === null ? '' : `, QEMU ${facts.qemuVersion}`}${facts.runUser === null ? '' : `, as user ${facts.runUser}`}`],
    ['image', facts.image === null ? 'none' : `${facts.image.ide} ${facts.image.ideVersion}, ${formatBytes(facts.image.bytes)}, built ${formatAgo(facts.image.builtAt, now)}`],
    ['templates', facts.templates.map(({ tier, state }) => `${tier} ${state}`).join(', ') || 'none'],
    ['environments', `${facts.capacity.running} running, ${facts.capacity.more} more fit (${formatBytes(facts.capacity.perEnvironmentBytes)} each)`],
  ], context.output.style);
}
