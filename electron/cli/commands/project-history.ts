import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { VesselError } from '#shared/errors.ts';
import type { Revision } from '#shared/project.ts';
import { DETACH, PROJECT_HELP } from '../arguments.ts';
import { integer, type Use } from '../command-kit.ts';
import { anyProject, livingProject } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { count, formatAgo, formatBytes } from '../format.ts';
import { runOperation } from '../run-operation.ts';
import { renderTable } from '../table.ts';

const revision = integer(1, Number.MAX_SAFE_INTEGER);

/** history, restore, export, verify, prune: everything about saved revisions. */
export function registerProjectHistory(group: Command, use: Use): void {
  group.command('history').summary('list the saved revisions')
    .description('All verified revisions of a project, the newest first.')
    .argument('<project>', PROJECT_HELP)
    .action(use(async (context, [query]: [string]) => {
      const project = await anyProject(context, query);
      const history = await context.session.call('history.list', { projectId: project.id });
      const { output, runtime } = context;
      output.result({ id: project.id, ...history }, () => history.revisions.length === 0 ? 'No revisions yet.' : [
        renderTable(['rev', 'saved', 'why', 'from', 'files', 'size', 'sha256'], history.revisions.map((item) => [
          `${item.rev}${item.rev === project.head?.rev ? ' *' : ''}${item.pinned === true ? ' pinned' : ''}`, formatAgo(item.createdAt, runtime.now()), item.reason, item.branch === undefined ? originText(item) : `branch "${item.branch}"`, String(item.files), formatBytes(item.bytes), item.sha256.slice(0, 12),
        ]), output.style),
        output.style('dim', `${count(history.revisions.length, 'revision')}, ${formatBytes(history.totalBytes)} in all`),
      ].join('\n'));
    }));

  group.command('restore').summary('make an earlier revision the current one')
    .description('Writes a new revision with the content of an earlier one; nothing is lost. Refused while the project is open.')
    .argument('<project>', PROJECT_HELP)
    .argument('[paths...]', 'only these files and folders; everything unless told')
    .requiredOption('-r, --rev <number>', 'the revision to bring back', revision)
    .option(...DETACH)
    .action(use(async (context, [query, paths]: [string, string[]], options: { readonly rev: number; readonly detach?: boolean }) => {
      const { id } = await livingProject(context, query);
      const operation = await runOperation(context, () => (paths.length === 0 ? context.session.call('history.restore', { projectId: id, rev: options.rev }) : context.session.call('history.restoreFiles', { projectId: id, rev: options.rev, paths })), options);
      if (operation === null) return;
      const project = await context.session.call('projects.get', { projectId: id });
      context.output.result({ ...project, restoredFrom: options.rev, operationId: operation.id }, () => `${paths.length === 0 ? `Revision ${options.rev} is current again` : `${count(paths.length, 'path')} of revision ${options.rev} restored`}, as revision ${project.head?.rev ?? '?'}`);
    }));

  group.command('export').summary('write a revision to a zip file')
    .description('Writes a copy of a revision (the current one unless told) to a zip file of this computer.')
    .argument('<project>', PROJECT_HELP)
    .option('-r, --rev <number>', 'which revision', revision)
    .option('-o, --output <file>', 'where to (default: <id>-r<rev>.zip in this folder)')
    .option('-f, --force', 'replace the file when it exists')
    .action(use(async (context, [query]: [string], options: { readonly rev?: number; readonly output?: string; readonly force?: boolean }) => {
      const project = await anyProject(context, query);
      const rev = options.rev ?? project.head?.rev;
      const path = resolve(context.runtime.cwd, options.output ?? `${project.id}-r${rev ?? 0}.zip`);
      if (existsSync(path) && options.force !== true) throw new VesselError('CONFLICT', `${path} exists already`, { hint: 'Add --force to replace it.', retryable: false, details: { path } });
      const copy = await context.session.call('history.export', { projectId: project.id, path, ...(rev === undefined ? {} : { rev }) });
      context.output.result({ id: project.id, ...copy }, () => `${copy.path}  revision ${copy.rev}, ${formatBytes(copy.bytes)}`);
    }));

  group.command('verify').summary('read a revision back and compare its hash')
    .description('Reads a revision (the current one unless told) from cold storage and compares its SHA-256. Exit code 1 when it differs.')
    .argument('<project>', PROJECT_HELP)
    .option('-r, --rev <number>', 'which revision', revision)
    .action(use(async (context, [query]: [string], options: { readonly rev?: number }) => {
      const { id } = await anyProject(context, query);
      const checked = await context.session.call('history.verify', { projectId: id, ...(options.rev === undefined ? {} : { rev: options.rev }) });
      const { style } = context.output;
      context.output.result({ id, ...checked }, () => `${checked.ok ? style('green', 'verified') : style('red', 'DAMAGED')}  sha256 ${checked.sha256}`);
      return checked.ok ? EXIT.ok : EXIT.failed;
    }));

  for (const pinned of [true, false]) {
    group.command(pinned ? 'pin' : 'unpin').summary(pinned ? 'keep a revision for ever' : 'let a pinned revision be pruned again')
      .description(pinned ? 'A pinned revision is never pruned.' : 'The revision is pruned again like any other.')
      .argument('<project>', PROJECT_HELP)
      .requiredOption('-r, --rev <number>', 'which revision', revision)
      .action(use(async (context, [query]: [string], options: { readonly rev: number }) => {
        const { id } = await anyProject(context, query);
        const item = await context.session.call('history.pin', { projectId: id, rev: options.rev, pinned });
        context.output.result({ id, revision: item }, () => `Revision ${item.rev} is ${pinned ? 'pinned' : 'no longer pinned'}`);
      }));
  }

  group.command('prune').summary('remove old revisions; the last and pinned ones never go')
    .description('Removes revisions beyond a count, an age or a size (the settings unless told). The last one and pinned ones never go.')
    .argument('<project>', PROJECT_HELP)
    .option('--keep <count>', 'how many of the newest stay', integer(1, 10_000))
    .option('--days <days>', 'younger ones stay', integer(1, 3650))
    .option('--bytes <bytes>', 'what all of them may take together', integer(1, Number.MAX_SAFE_INTEGER))
    .action(use(async (context, [query]: [string], options: { readonly keep?: number; readonly days?: number; readonly bytes?: number }) => {
      const { id } = await anyProject(context, query);
      const pruned = await context.session.call('history.prune', {
        projectId: id, ...(options.keep === undefined ? {} : { keepRevisions: options.keep }), ...(options.days === undefined ? {} : { keepDays: options.days }), ...(options.bytes === undefined ? {} : { keepBytes: options.bytes }),
      });
      context.output.result({ id, ...pruned }, () => pruned.removed.length === 0 ? 'Nothing to remove.' : `Removed ${count(pruned.removed.length, 'revision')}, freed ${formatBytes(pruned.freedBytes)}`);
    }));
}

/** The host that it was made on, and the computer when it was made without one. */
function originText({ origin }: Revision): string {
  if (origin === undefined) return '-';
  return origin.hostName === null ? origin.device : origin.hostName;
}
