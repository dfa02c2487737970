import type { Command } from 'commander';
import type { Operation } from '#shared/operation.ts';
import { TEMPLATE_IDS, TIERS, type TemplateId } from '#shared/project.ts';
import { DETACH } from '../arguments.ts';
import { integer, type Use } from '../command-kit.ts';
import { anyProject, type Context } from '../context.ts';
import { formatAgo, formatDuration } from '../format.ts';
import { resolveOperation } from '../resolve-operation.ts';
import { runOperation } from '../run-operation.ts';
import { renderTable, type Cell } from '../table.ts';

type ListOptions = { readonly project?: string; readonly lines: number };

const TEMPLATE_TEXTS: Readonly<Record<TemplateId, string>> = {
  blank: 'an empty workspace',
  node: 'a Node.js program with a test',
  'react-vite': 'React with Vite and hot reload',
  python: 'a Python program with a test',
  static: 'a static web site',
};

/** operations, cancel, events, rescue, templates: what happened, what is going on, what could be. */
export function registerOperations(program: Command, use: Use): void {
  program.command('operations').summary('list what was done and what is under way').description('The last operations, the newest first.')
    .option('-p, --project <project>', 'only of this project')
    .option('-n, --lines <count>', 'how many', integer(1, 500), 20)
    .action(use(async (context, _args, options: ListOptions) => {
      const projectId = options.project === undefined ? {} : { projectId: (await anyProject(context, options.project)).id };
      const { operations } = await context.session.call('operations.list', { ...projectId, limit: options.lines });
      context.output.result({ operations }, () => operations.length === 0 ? 'Nothing has been done yet.' : operationTable(context, operations));
    }));

  program.command('cancel').summary('cancel an operation').description('Asks a running operation to stop cleanly.')
    .argument('<operation>', 'id or unique beginning of it')
    .action(use(async (context, [query]: [string]) => {
      const { id } = await resolveOperation(context.session, query);
      const operation = await context.session.call('operations.cancel', { operationId: id });
      context.output.result(operation, () => operation.state === 'running' ? `Cancelling ${operation.title}` : `${operation.title}: ${operation.state}`);
    }));

  program.command('events').summary('show the audit log').description('Who did what to which thing, the newest first.')
    .option('-p, --project <project>', 'only of this project')
    .option('-n, --lines <count>', 'how many', integer(1, 500), 50)
    .action(use(async (context, _args, options: ListOptions) => {
      const projectId = options.project === undefined ? {} : { projectId: (await anyProject(context, options.project)).id };
      const { events } = await context.session.call('events.list', { ...projectId, limit: options.lines });
      context.output.result({ events }, () => events.length === 0 ? 'Nothing has happened yet.' : renderTable(['when', 'kind', 'project', 'what'], events.map((event) => [
        formatAgo(event.at, context.runtime.now()), event.kind, event.projectId ?? '-', event.text,
      ]), context.output.style));
    }));

  program.command('rescue').summary('save what an environment without a project still holds')
    .description('Without an argument: the environments that run on a host but are not known here. With one: saves its workspace as a new revision, then ends it.')
    .argument('[vm]', 'the environment to rescue')
    .option('--host <host>', 'where it runs', 'local')
    .option(...DETACH)
    .action(use(async (context, [vmId]: [string | undefined], options: { readonly host: string; readonly detach?: boolean }) => {
      const { session, output, runtime } = context;
      if (vmId === undefined) {
        const { orphans } = await session.call('environments.orphans', {});
        output.result({ orphans }, () => orphans.length === 0 ? 'Nothing to rescue.' : renderTable(['vm', 'host', 'started', 'project'], orphans.map((orphan) => [
          orphan.vmId, orphan.hostId, formatAgo(orphan.startedAt, runtime.now()), orphan.knownProject ? 'known' : 'unknown: a new one will be made',
        ]), output.style));
        return;
      }
      const operation = await runOperation(context, () => session.call('environments.rescue', { hostId: options.host, vmId }), options);
      if (operation === null) return;
      output.result({ vmId, projectId: operation.projectId, result: operation.result, operationId: operation.id }, () => `Rescued ${vmId}${operation.projectId === null ? '' : ` as project ${operation.projectId}`}`);
    }));

  program.command('templates').summary('list what a project can start with').description('Templates for `project create`, and the sizes of machines.')
    .action(use(async (context) => {
      const { style } = context.output;
      const templates = TEMPLATE_IDS.map((id) => ({ id, description: TEMPLATE_TEXTS[id] }));
      const tiers = Object.entries(TIERS).map(([id, size]) => ({ id, ...size }));
      context.output.result({ templates, tiers }, () => [
        renderTable(['template', 'what'], templates.map(({ id, description }) => [id, description]), style), '',
        renderTable(['tier', 'vCPUs', 'memory'], tiers.map(({ id, vcpus, memoryMiB }) => [id, String(vcpus), `${memoryMiB} MiB`]), style),
      ].join('\n'));
    }));
}

function operationTable(context: Context, operations: readonly Operation[]): string {
  const now = context.runtime.now();
  const formats = { succeeded: 'green', failed: 'red', cancelled: 'yellow', running: 'cyan' } as const;
  return renderTable(['id', 'what', 'state', 'started', 'took'], operations.map((operation): Cell[] => [
    operation.id, operation.title,
    { text: operation.state === 'running' ? `${Math.round(operation.progress * 100)} %` : operation.error === null ? operation.state : `${operation.state} (${operation.error.code})`, format: formats[operation.state] },
    formatAgo(operation.startedAt, now), formatDuration((operation.endedAt ?? now) - operation.startedAt),
  ]), context.output.style);
}
