import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import type { ArchiveEntry, Hunk, SearchItem, TextDiff } from '#shared/archive-contract.ts';
import { VesselError } from '#shared/errors.ts';
import { expandHome } from '#shared/paths.ts';
import { PROJECT_HELP } from '../arguments.ts';
import { integer, type Use } from '../command-kit.ts';
import { anyProject, type Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { count, formatBytes } from '../format.ts';
import { oneLine, printable, type Style } from '../style.ts';
import { renderTable } from '../table.ts';

const revision = integer(1, Number.MAX_SAFE_INTEGER);
const REV = ['-r, --rev <number>', 'which revision (default: the current one)', revision] as const;
/** Left-out entries that are named one by one. */
const LEFT_OUT_SHOWN = 20;
type Rev = { readonly rev?: number };
const revOf = ({ rev }: Rev): { rev?: number } => (rev === undefined ? {} : { rev });

/** files, show, search, diff, copy-out: saved revisions, read where they are. */
export function registerProjectFiles(group: Command, use: Use): void {
  group.command('files').alias('tree').summary('list the files of a revision')
    .description('Lists a folder of a revision, or with --all everything in it. Nothing is unpacked.')
    .argument('<project>', PROJECT_HELP).argument('[folder]', 'a folder of the workspace', '')
    .option(...REV).option('-a, --all', 'with all folders below')
    .action(use(async (context, [query, folder]: [string, string], options: Rev & { readonly all?: boolean }) => {
      const { id } = await anyProject(context, query);
      const { rev, totals, entries } = await readTree(context, id, folder.replace(/(?<!\/)\/+$/, ''), options);
      context.output.result({ id, rev, folder, totals, entries }, () => [
        ...(entries.length === 0 ? ['Nothing in there.'] : [renderTable(['mode', 'size', 'path'], entries.map((entry) => [modeText(entry), entry.kind === 'folder' ? '-' : formatBytes(entry.size), entry.kind === 'folder' ? `${entry.path}/` : entry.path]), context.output.style)]),
        context.output.style('dim', `revision ${rev}: ${count(totals.files, 'file')}, ${formatBytes(totals.bytes)}`),
      ].join('\n'));
    }));

  group.command('show').summary('print a file of a revision')
    .description('Prints a text file of a revision; on a terminal its control characters are shown (␛) and do nothing, into a file or pipe it goes as it is. Binary and very large files are copied out instead, with `copy-out`.')
    .argument('<project>', PROJECT_HELP).argument('<path>', 'a file of the workspace').option(...REV)
    .action(use(async (context, [query, path]: [string, string], options: Rev) => {
      const { id } = await anyProject(context, query);
      const file = await context.session.call('archive.file', { projectId: id, path, ...revOf(options) });
      const { content } = file;
      if (content.form !== 'text' && !context.output.json) throw new VesselError('BAD_REQUEST', `${path} is ${content.form === 'binary' ? 'no UTF-8 text' : 'too large to print'}`, { hint: `vessel project copy-out ${id} --to <folder> ${path}` });
      context.output.result({ id, ...file }, () => (content.form === 'text' ? context.output.foreign(content.text.replace(/\n$/, '')) : ''));
    }));

  group.command('search').summary('search names and contents of a revision')
    .description('Finds a text in the names and contents of a revision. Exit code 1 when nothing is found.')
    .argument('<project>', PROJECT_HELP).argument('<text>', 'what to look for, literally')
    .option(...REV)
    .addOption(new Option('--in <where>', 'where to look').choices(['names', 'contents', 'both']).default('both'))
    .option('-c, --case', 'upper and lower case differ').option('-w, --word', 'whole words only')
    .option('--folder <folder>', 'only below this folder', '').option('--limit <count>', 'stop after so many', integer(1, 5000), 500)
    .action(use(async (context, [query, text]: [string, string], options: Rev & { readonly in: 'names' | 'contents' | 'both'; readonly case?: boolean; readonly word?: boolean; readonly folder: string; readonly limit: number }) => {
      const { id } = await anyProject(context, query);
      const hits: SearchItem[] = [];
      let end: Extract<SearchItem, { kind: 'end' }> | null = null;
      const client = await context.session.client();
      for await (const item of client.stream('archive.search', { projectId: id, query: text, in: options.in, caseSensitive: options.case === true, wholeWord: options.word === true, folder: options.folder, limit: options.limit, ...revOf(options) })) {
        if (item.kind === 'end') end = item;
        else if (item.kind !== 'progress') hits.push(item);
      }
      context.output.result({ id, hits, end }, () => [
        ...hits.map((hit) => hitLine(hit, context.output.style)),
        context.output.style('dim', `${count(hits.length, 'hit')}${end?.limited === true ? ', and more: raise --limit' : ''}${(end?.skippedLarge ?? 0) > 0 ? `; ${count(end?.skippedLarge ?? 0, 'large file')} left out` : ''}`),
      ].join('\n'));
      return hits.length === 0 ? EXIT.failed : EXIT.ok;
    }));

  group.command('diff').summary('what changed between two revisions')
    .description('Lists what changed between two revisions (the last two unless told); with a path, shows its lines.')
    .argument('<project>', PROJECT_HELP).argument('[path]', 'a file of the workspace')
    .option('--from <number>', 'the older revision', revision).option('--to <number>', 'the newer one (default: the current one)', revision)
    .action(use(async (context, [query, path]: [string, string | undefined], options: { readonly from?: number; readonly to?: number }) => {
      const project = await anyProject(context, query);
      const to = options.to ?? project.head?.rev;
      const { revisions } = await context.session.call('history.list', { projectId: project.id });
      const from = options.from ?? revisions.find(({ rev }) => rev < (to ?? 0))?.rev;
      if (from === undefined || to === undefined) throw new VesselError('NOT_FOUND', 'There are no two revisions to compare', { hint: 'See `vessel project history`.' });
      if (path !== undefined) {
        const { diff } = await context.session.call('history.diffFile', { projectId: project.id, from, to, path });
        context.output.result({ id: project.id, from, to, path, diff }, () => diffText(diff, context.output.style));
        return;
      }
      const diff = await context.session.call('history.diff', { projectId: project.id, from, to });
      const marks = { added: ['green', '+'], removed: ['red', '-'], changed: ['yellow', '~'], mode: ['dim', 'm'] } as const;
      context.output.result({ id: project.id, ...diff }, () => [
        ...diff.changes.map(({ change, path: changed }) => context.output.style(marks[change][0], `${marks[change][1]} ${oneLine(changed)}`)),
        context.output.style('dim', `revision ${from} to ${to}: ${diff.counts.added} added, ${diff.counts.changed} changed, ${diff.counts.removed} removed${diff.counts.mode > 0 ? `, ${diff.counts.mode} with another mode` : ''}${diff.more ? ' (not all shown)' : ''}`),
      ].join('\n'));
    }));

  group.command('scan').summary('look for secrets in a revision')
    .description('Looks for keys, tokens and passwords in a revision, and for files larger than a limit. Only the beginning of each is shown. Exit code 1 when something is found.')
    .argument('<project>', PROJECT_HELP).option(...REV)
    .option('--max-file <bytes>', 'name files above this size', integer(1, Number.MAX_SAFE_INTEGER))
    .action(use(async (context, [query]: [string], options: Rev & { readonly maxFile?: number }) => {
      const { id } = await anyProject(context, query);
      const scan = await context.session.call('archive.scan', { projectId: id, ...revOf(options), ...(options.maxFile === undefined ? {} : { maxFileBytes: options.maxFile }) });
      const { style } = context.output;
      context.output.result({ id, ...scan }, () => [
        ...scan.secrets.map(({ path, kind, line, hint }) => `${style('yellow', kind)}  ${oneLine(path)}${line === null ? '' : `:${line}`}  ${style('dim', oneLine(hint))}`.trimEnd()),
        ...scan.large.map(({ path, size }) => `${style('yellow', 'large file')}  ${oneLine(path)}  ${formatBytes(size)}`),
        style('dim', `${count(scan.secrets.length, 'secret')} in ${count(scan.files, 'file')} of revision ${scan.rev}${scan.more ? ', and more' : ''}`),
      ].join('\n'));
      return scan.secrets.length + scan.large.length === 0 ? EXIT.ok : EXIT.failed;
    }));

  group.command('copy-out').summary('copy files of a revision to a folder')
    .description('Writes files or folders of a revision (everything unless told) to a new folder of this computer. Links that lead out of that folder are left out and named.')
    .argument('<project>', PROJECT_HELP).argument('[paths...]', 'files or folders of the workspace')
    .requiredOption('--to <folder>', 'a folder that does not exist yet, or an empty one').option(...REV)
    .action(use(async (context, [query, paths]: [string, string[]], options: Rev & { readonly to: string }) => {
      const { id } = await anyProject(context, query);
      const copied = await context.session.call('archive.copyOut', { projectId: id, paths, to: resolve(context.runtime.cwd, expandHome(options.to, context.runtime.homeDirectory)), ...revOf(options) });
      for (const { path, reason } of copied.leftOut.slice(0, LEFT_OUT_SHOWN)) context.output.note(`Left out: ${oneLine(path)} (${oneLine(reason)})`);
      if (copied.leftOut.length > LEFT_OUT_SHOWN) context.output.note(`… and ${copied.leftOut.length - LEFT_OUT_SHOWN} more; --json names them all`);
      context.output.result({ id, ...copied }, () => `${copied.path}  revision ${copied.rev}, ${count(copied.files, 'file')}, ${formatBytes(copied.bytes)}`);
    }));
}

async function readTree(context: Context, projectId: string, folder: string, options: Rev & { readonly all?: boolean }): Promise<{ rev: number; totals: { files: number; bytes: number }; entries: ArchiveEntry[] }> {
  const entries: ArchiveEntry[] = [];
  let after: string | undefined;
  for (;;) {
    const page = await context.session.call('archive.tree', { projectId, folder, ...revOf(options), ...(after === undefined ? {} : { after }) });
    for (const entry of page.entries) {
      entries.push(entry);
      if (options.all === true && entry.kind === 'folder') entries.push(...(await readTree(context, projectId, entry.path, { ...options, rev: page.rev })).entries);
    }
    if (!page.more) return { rev: page.rev, totals: page.totals, entries };
    after = page.entries.at(-1)?.path;
  }
}

function modeText({ kind, mode }: ArchiveEntry): string {
  const letters = ['r', 'w', 'x'];
  const bits = Array.from({ length: 9 }, (_, index) => ((mode >> (8 - index)) & 1) === 1 ? letters[index % 3] ?? '-' : '-').join('');
  return `${kind === 'folder' ? 'd' : kind === 'link' ? 'l' : '-'}${bits}`;
}

function hitLine(hit: SearchItem, style: Style): string {
  if (hit.kind === 'name') return style('cyan', oneLine(hit.path));
  return hit.kind === 'line' ? `${style('cyan', oneLine(hit.path))}:${hit.line}: ${printable(hit.text.trim())}` : '';
}

export function diffText(diff: TextDiff, style: Style): string {
  switch (diff.form) {
    case 'same': return 'No difference.';
    case 'binary': return 'Binary files differ.';
    case 'too-large': return 'Too large or too different to compare line by line.';
    case 'text': return diff.hunks.map((hunk) => hunkText(hunk, style)).join('\n');
    default: return diff satisfies never;
  }
}

function hunkText(hunk: Hunk, style: Style): string {
  const colour = (line: string): string => (line.startsWith('+') ? style('green', printable(line)) : line.startsWith('-') ? style('red', printable(line)) : printable(line));
  return [style('cyan', `@@ -${hunk.oldStart},${hunk.oldLines} +${hunk.newStart},${hunk.newLines} @@`), ...hunk.lines.map(colour)].join('\n');
}
