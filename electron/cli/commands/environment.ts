import type { Command } from 'commander';
import type { z } from 'zod';
import { OpenResultSchema, SaveResultSchema, type SaveResult } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { Operation } from '#shared/operation.ts';
import type { Project } from '#shared/project.ts';
import { DETACH, PROJECT_HELP } from '../arguments.ts';
import { openInBrowser } from '../browser.ts';
import type { Use } from '../command-kit.ts';
import { livingProject, type Context } from '../context.ts';
import { count, formatBytes, formatDuration } from '../format.ts';
import { requireRunning } from '../resolve-project.ts';
import { runOperation } from '../run-operation.ts';

type Detach = { readonly detach?: boolean };

/** open, save, close, discard: the life of an environment. */
export function registerEnvironment(program: Command, use: Use): void {
  program.command('open').summary('start the environment of a project and wait until VS Code answers')
    .description('Starts a microVM for the project, puts the last save in, and returns once VS Code answers. An open project answers at once.')
    .argument('<project>', PROJECT_HELP)
    .option('-b, --browser', 'show it in the browser')
    .option('--host <host>', 'open it on this host, and from now on there')
    .option(...DETACH)
    .action(use(async (context, [query]: [string], options: Detach & { readonly browser?: boolean; readonly host?: string }) => {
      const { id } = await livingProject(context, query);
      const operation = await runOperation(context, () => context.session.call('environments.open', { projectId: id, ...(options.host === undefined ? {} : { hostId: options.host }) }), { ...options, join: { projectId: id, kind: 'open' } });
      if (operation === null) return;
      const result = resultOf(operation, OpenResultSchema);
      const { url } = await context.session.call('environments.url', { projectId: id, frame: false });
      context.output.result({ ...result, url, operationId: operation.id }, () => openText(context, { ...result, url }));
      if (options.browser === true) await openInBrowser(context.runtime, context.session.home, url);
    }));

  program.command('save').summary('save the workspace while it runs')
    .description('Writes a new revision from the running environment and verifies it by reading it back.')
    .argument('<project>', PROJECT_HELP)
    .option(...DETACH)
    .action(use(async (context, [query]: [string], options: Detach) => {
      const project = requireRunning(await livingProject(context, query));
      await save(context, project, options, 'save');
    }));

  program.command('close').summary('save, verify, and destroy the environment')
    .description('Save & Exit: asks the programs inside to end, writes a new revision, reads it back, and only then destroys the microVM. What does not end within 5 seconds is held still while the last save is read, and ends with the machine. The command says what was stopped.')
    .argument('<project>', PROJECT_HELP)
    .option('--keep-running', 'stop nothing: refuse (CONFLICT) while a program inside writes to the workspace')
    .option(...DETACH)
    .action(use(async (context, [query]: [string], options: Detach & { readonly keepRunning?: boolean }) => {
      await save(context, await livingProject(context, query), options, 'close');
    }));

  program.command('discard').summary('destroy the environment without saving')
    .description('Destroys the microVM and everything that was not saved. The last verified revision stays.')
    .argument('<project>', PROJECT_HELP)
    .option('-y, --yes', 'yes, lose what was not saved')
    .option(...DETACH)
    .action(use(async (context, [query]: [string], options: Detach & { readonly yes?: boolean }) => {
      const { id, name } = await livingProject(context, query);
      if (options.yes !== true) throw new VesselError('BAD_REQUEST', `This loses what was not saved in ${name}`, { hint: `Say so: \`vessel discard ${id} --yes\`.` });
      const operation = await runOperation(context, () => context.session.call('environments.discard', { projectId: id, confirm: id }), options);
      if (operation === null) return;
      context.output.result({ id, discarded: true, operationId: operation.id }, () => `Discarded ${name}`);
    }));
}

async function save(context: Context, project: Project, options: Detach & { readonly keepRunning?: boolean }, kind: 'save' | 'close'): Promise<void> {
  const start = (): Promise<{ readonly operationId: string }> => (kind === 'save' ? context.session.call('environments.save', { projectId: project.id })
    : context.session.call('environments.close', { projectId: project.id, keepRunning: options.keepRunning === true }));
  const operation = await runOperation(context, start, { ...options, join: { projectId: project.id, kind } });
  if (operation === null) return;
  const result = resultOf(operation, SaveResultSchema);
  context.output.result({ id: project.id, ...result, operationId: operation.id }, () => saveText(context, project, result, kind));
}

/** The result of an operation that has succeeded. Throws INTERNAL when it is not what the contract says. */
export function resultOf<T extends z.ZodType>(operation: Operation, schema: T): z.output<T> {
  const parsed = schema.safeParse(operation.result);
  if (parsed.success) return parsed.data;
  throw new VesselError('INTERNAL', `The result of ${operation.kind} does not fit the contract`, { cause: parsed.error, details: { operationId: operation.id } });
}

function openText(context: Context, result: z.output<typeof OpenResultSchema> & { readonly url: string }): string {
  context.output.note(`${context.output.errorStyle('green', 'open')}  ${result.id} in ${formatDuration(result.totalMs)} (${result.startKind === 'clone' ? 'clone of a template' : 'cold boot'})`);
  return result.url;
}

function saveText(context: Context, project: Project, { archive, revision, changed, stopped = [] }: SaveResult, kind: 'save' | 'close'): string {
  const { style } = context.output;
  const copy = `revision ${archive.rev}, ${count(archive.files, 'file')}, ${formatBytes(archive.bytes)}`;
  const lines = [
    `${style('green', kind === 'close' ? 'closed' : 'saved')}  ${project.name}: ${changed ? copy : `nothing had changed since ${copy}`}`,
    `${style('green', 'verified')}  sha256 ${archive.sha256}`,
  ];
  if (stopped.length > 0) {
    const shown = stopped.slice(0, SHOWN_STOPPED).map(stoppedText).join(', ');
    lines.push(`stopped   ${shown}${stopped.length > SHOWN_STOPPED ? ` and ${stopped.length - SHOWN_STOPPED} more` : ''}`);
  }
  if (revision.leftOut.length > 0) {
    const shown = revision.leftOut.slice(0, 5).map(({ path, reason }) => `${path} (${reason})`).join(', ');
    lines.push(style('dim', `left out  ${shown}${revision.leftOut.length > 5 ? ` and ${revision.leftOut.length - 5} more` : ''}`));
  }
  return lines.join('\n');
}

const SHOWN_STOPPED = 10;

/** A program that was stopped: what, which, and what it wrote. */
function stoppedText({ pid, command, wrote, how }: NonNullable<SaveResult['stopped']>[number]): string {
  const notes = [`pid ${pid}`, ...(how === 'held' ? ['did not end when asked'] : []), ...(wrote.length > 0 ? [`wrote ${wrote.join(', ')}`] : [])];
  return `${command} (${notes.join('; ')})`;
}
