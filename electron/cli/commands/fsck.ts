import type { Command } from 'commander';
import { FsckReportSchema } from '#shared/archive-contract.ts';
import { DETACH, PROJECT_HELP } from '../arguments.ts';
import type { Use } from '../command-kit.ts';
import { anyProject } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { count, formatBytes } from '../format.ts';
import { runOperation } from '../run-operation.ts';
import { renderTable } from '../table.ts';

export function registerFsck(program: Command, use: Use): void {
  program.command('fsck').summary('check everything in cold storage, and repair what can be')
    .description('Reads every archive back, compares its hash, and replaces damaged ones from another copy where there is one. It needs no network, unless something here is damaged. With --cloud it also fetches every copy in a cloud, compares it, sends damaged ones again, and names what uploads left there and no revision needs; nothing is removed without --sweep. Exit code 1 when a revision cannot be restored, or when something that was to be looked at could not be.')
    .argument('[project]', `${PROJECT_HELP}; all unless told`)
    .option('--no-repair', 'only report')
    .option('--cloud', 'also fetch and compare every copy in a cloud (as many bytes as lie there)')
    .option('--sweep', 'remove what lies in a cloud for more than a day and no revision names')
    .option(...DETACH)
    .action(use(async (context, [query]: [string | undefined], options: { readonly repair: boolean; readonly sweep?: boolean; readonly cloud?: boolean; readonly detach?: boolean }) => {
      const project = query === undefined ? null : await anyProject(context, query);
      const operation = await runOperation(context, () => context.session.call('store.check', { repair: options.repair, sweep: options.sweep === true, copies: options.cloud === true, ...(project === null ? {} : { projectId: project.id }) }), options);
      if (operation === null) return EXIT.ok;
      const report = FsckReportSchema.parse(operation.result);
      const { style } = context.output;
      context.output.result({ operationId: operation.id, ...report }, () => [
        ...(report.findings.length === 0 ? [] : [renderTable(['project', 'rev', 'problem', 'outcome', 'what'], report.findings.map((finding) => [
          finding.projectId || '-', finding.revs.join(',') || '-', finding.problem, { text: finding.outcome, format: finding.outcome === 'lost' || finding.outcome === 'unknown' ? 'red' : finding.outcome === 'repaired' || finding.outcome === 'removed' ? 'green' : 'yellow' }, finding.text,
        ]), style)]),
        ...(report.elsewhere === 0 ? [] : [`${count(report.elsewhere, 'archive')} only in a cloud, not looked at; \`vessel fsck --cloud\` does`]),
        `${report.sound ? style('green', 'sound') : style('red', 'NOT SOUND')}  ${count(report.archives, 'archive')} of ${count(report.projects, 'project')}, ${formatBytes(report.bytes)} read and compared in ${(report.ms / 1000).toFixed(1)} s`,
      ].join('\n'));
      return report.sound ? EXIT.ok : EXIT.failed;
    }));
}
