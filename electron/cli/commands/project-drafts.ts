import { Option, type Command } from 'commander';
import { PROJECT_HELP } from '../arguments.ts';
import { type Use } from '../command-kit.ts';
import { anyProject, livingProject } from '../context.ts';
import { count, formatAgo, formatBytes } from '../format.ts';
import { runOperation } from '../run-operation.ts';
import { renderTable } from '../table.ts';

/** drafts: changes made without the environment. */
export function registerProjectDrafts(group: Command, use: Use): void {
  group.command('drafts').summary('changes that were made without the environment')
    .description('Shows the changes that were made offline and are not yet a revision; saves, drops or reviews them when asked.')
    .argument('<project>', PROJECT_HELP)
    .option('--save', 'make a revision of them now')
    .option('--discard', 'drop them')
    .option('--review', 'how they fit what the project became meanwhile')
    .option('--patch', 'print them as a patch for `git apply`')
    .addOption(new Option('--take <side>', 'decide every file that was changed on both sides').choices(['merge', 'mine', 'theirs']))
    .action(use(async (context, [query]: [string], options: { readonly save?: boolean; readonly discard?: boolean; readonly review?: boolean; readonly patch?: boolean; readonly take?: 'merge' | 'mine' | 'theirs' }) => {
      const { session, output, runtime } = context;
      const { id } = options.save === true || options.discard === true || options.take !== undefined ? await livingProject(context, query) : await anyProject(context, query);
      if (options.review === true || options.patch === true) {
        const review = await session.call('drafts.review', { projectId: id });
        output.result({ id, ...review }, () => options.patch === true ? output.foreign(review.patch.replace(/\n$/, '')) : review.files.length === 0 ? 'No changes.' : renderTable(['fits', 'path'], review.files.map(({ fit, path }) => [{ text: fit, format: fit === 'conflict' ? 'red' : fit === 'merges' ? 'yellow' : 'green' }, path]), output.style));
        return;
      }
      if (options.take !== undefined) {
        const take = options.take;
        const { files } = await session.call('drafts.review', { projectId: id });
        const undecided = files.filter(({ fit }) => fit !== 'clean' || take === 'theirs');
        if (undecided.length > 0) await session.call('drafts.resolve', { projectId: id, choices: undecided.map(({ path }) => ({ path, take })) });
      }
      if (options.discard === true) await session.call('drafts.discard', { projectId: id });
      const before = await session.call('drafts.list', { projectId: id });
      if (options.save === true && before.drafts.length > 0) {
        const operation = await runOperation(context, () => session.call('drafts.save', { projectId: id }));
        output.result({ id, operationId: operation?.id ?? null, revision: operation?.result ?? null }, () => `Saved ${count(before.drafts.length, 'changed file')}`);
        return;
      }
      output.result({ id, ...before }, () => before.drafts.length === 0 ? 'No changes that are not saved.' : [
        renderTable(['path', 'change', 'size', 'when'], before.drafts.map((draft) => [draft.path, draft.change, formatBytes(draft.bytes), formatAgo(draft.updatedAt, runtime.now())]), output.style),
        output.style(before.state === 'review' ? 'yellow' : 'dim', before.state === 'review' ? 'The project moved on meanwhile: see --review, decide with --take.' : `made on revision ${before.baseRev ?? 0}`),
      ].join('\n'));
    }));
}
