import type { Command } from 'commander';
import { PROJECT_HELP } from '../arguments.ts';
import type { Use } from '../command-kit.ts';
import { livingProject } from '../context.ts';
import { count, formatBytes } from '../format.ts';
import { renderFacts } from '../table.ts';

/** offline: what can be read with the network off. */
export function registerOffline(program: Command, use: Use): void {
  program.command('offline').summary('what can be read with the network off')
    .description('Says which projects can be read and edited with the network off, and keeps the last safe copy of a project on this computer whatever the budget.')
    .option('--keep <project>', `always keep its last safe copy here; ${PROJECT_HELP}`)
    .option('--release <project>', 'let its copy go when the budget needs it')
    .action(use(async (context, _args, options: { readonly keep?: string; readonly release?: string }) => {
      for (const [query, keep] of [[options.keep, true], [options.release, false]] as const) {
        if (query !== undefined) await context.session.call('offline.keep', { projectId: (await livingProject(context, query)).id, keep });
      }
      const status = await context.session.call('offline.status', {});
      context.output.result(status, () => renderFacts([
        ['readable now', count(status.available.length, 'project')],
        ['copies', status.whole ? 'none needed: the cold store is on this computer' : `${count(status.archives, 'archive')}, ${formatBytes(status.bytes)} of ${formatBytes(status.budgetBytes)}`],
        ['always kept', status.kept.length === 0 ? '-' : status.kept.join('  ')],
      ], context.output.style));
    }));
}
