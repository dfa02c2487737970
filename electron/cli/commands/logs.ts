import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { VesselError } from '#shared/errors.ts';
import type { LogLine } from '#shared/operation.ts';
import { integer, type Use } from '../command-kit.ts';
import { anyProject, type Context } from '../context.ts';
import { followOperation } from '../follow-operation.ts';
import { resolveOperation } from '../resolve-operation.ts';
import { printable } from '../style.ts';

type Options = { readonly follow?: boolean; readonly lines: number };

const POLL_MS = 1_000;
/** The most that `environments.logs` gives at once. */
const MAX_LINES = 5_000;

export function registerLogs(program: Command, use: Use): void {
  program.command('logs').summary('show the log of an environment or of an operation')
    .description('For an operation: its log. For a project: the console of its environment, or the log of its last operation when it is closed.')
    .argument('<project|operation>', 'project (id, unique beginning, name) or operation id')
    .option('-f, --follow', 'go on showing new lines')
    .option('-n, --lines <count>', 'how many of the last lines', integer(1, MAX_LINES), 200)
    .action(use(async (context, [query]: [string], options: Options) => {
      const { session } = context;
      const project = await anyProject(context, query).catch((error: unknown) => {
        if (error instanceof VesselError && error.code === 'NOT_FOUND') return null;
        throw error;
      });
      if (project === null) return operationLog(context, (await resolveOperation(session, query)).id, options);
      const state = project.environment?.state;
      if (state === 'running' || state === 'error') return environmentLog(context, project.id, options);
      const { operations: [last] } = await session.call('operations.list', { projectId: project.id, limit: 1 });
      if (last === undefined) throw new VesselError('NOT_FOUND', `${project.name} has no log yet`, { hint: `Open it first: \`vessel open ${project.id}\`.` });
      return operationLog(context, last.id, options);
    }));
}

/** `12:04:05.123 text`, in UTC as every log of Vessel. */
function lineText(context: Context, line: LogLine): string {
  const { style } = context.output;
  const text = printable(line.text);
  const time = style('dim', new Date(line.at).toISOString().slice(11, 23));
  switch (line.level) {
    case 'error': return `${time} ${style('red', text)}`;
    case 'warn': return `${time} ${style('yellow', text)}`;
    case 'info': case 'debug': return `${time} ${text}`;
  }
}

async function operationLog(context: Context, operationId: string, options: Options): Promise<void> {
  const { session, output, runtime } = context;
  const { lines } = await session.call('operations.log', { operationId });
  const shown = lines.slice(-options.lines);
  if (options.follow !== true) {
    output.result({ operationId, lines: shown }, () => shown.map((line) => lineText(context, line)).join('\n'));
    return;
  }
  const print = (line: LogLine): void => { if (!output.json) runtime.stdout.write(`${lineText(context, line)}\n`); };
  for (const line of shown) print(line);
  const all = [...shown];
  const ended = await followOperation(session, operationId, { afterSeq: lines.at(-1)?.seq ?? 0, onLog: (line) => { print(line); all.push(line); } });
  output.result({ operationId, state: ended.state, lines: all }, () => '');
}

async function environmentLog(context: Context, projectId: string, options: Options): Promise<void> {
  const { session, output, runtime } = context;
  if (options.follow === true && output.json) {
    throw new VesselError('BAD_REQUEST', 'The log of an environment has no end, and --json prints one object', { hint: 'Leave out --json or --follow.' });
  }
  const { lines } = await session.call('environments.logs', { projectId, lines: options.lines });
  output.result({ id: projectId, lines }, () => lines.map(printable).join('\n'));
  if (options.follow !== true) return;
  let seen: readonly string[] = lines;
  for (;;) {
    await sleep(POLL_MS);
    const { lines: now } = await session.call('environments.logs', { projectId, lines: MAX_LINES });
    for (const line of newLines(seen, now)) runtime.stdout.write(`${printable(line)}\n`);
    seen = now;
  }
}

/** What `now` holds behind the end of `seen`; both are windows on the same growing log. */
export function newLines(seen: readonly string[], now: readonly string[]): readonly string[] {
  for (let overlap = Math.min(seen.length, now.length); overlap > 0; overlap -= 1) {
    // Where in `now` could the end of `seen` stand? The latest place with the longest agreement wins.
    for (let end = now.length; end >= overlap; end -= 1) {
      let same = 0;
      while (same < overlap && seen[seen.length - 1 - same] === now[end - 1 - same]) same += 1;
      if (same === overlap) return now.slice(end);
    }
  }
  return now;
}
