import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { InvalidArgumentError, type Command } from 'commander';
import { VesselError } from '#shared/errors.ts';
import { PROJECT_HELP } from '../arguments.ts';
import type { Use } from '../command-kit.ts';
import type { Connection } from '../connection.ts';
import { livingProject, type Context } from '../context.ts';
import { runExec, type ExecRequest, type ExecSink } from '../exec-session.ts';
import { requireRunning } from '../resolve-project.ts';

/** With `--json` the output is held in memory; what exceeds this is dropped and `truncated` says so. */
const JSON_OUTPUT_LIMIT_BYTES = 16 * 1024 * 1024;

type ExecOptions = { readonly tty?: boolean; readonly cwd?: string; readonly env?: readonly string[] };

export function registerExec(program: Command, use: Use): void {
  program.command('exec').summary('run a command in an open environment')
    .usage('[options] <project> [--] <command> [arguments…]')
    .description('Runs a command in the workspace of an open environment. Input, output, signals and the exit code pass through.')
    .argument('<project>', PROJECT_HELP)
    .argument('<command...>', 'the command and its arguments')
    .option('-t, --tty', 'give it a terminal (the default when both input and output are one)')
    .option('-T, --no-tty', 'give it no terminal')
    .option('-C, --cwd <folder>', 'working folder, relative to the workspace or absolute')
    .option('-e, --env <NAME=value>', 'set a variable; NAME alone passes your own on; repeatable', collectVariable)
    .action(use(async (context, [project, argv]: [string, string[]], options: ExecOptions) => {
      const found = requireRunning(await livingProject(context, project));
      return run(context, { projectId: found.id, argv, cwd: options.cwd ?? '', env: variables(context, options.env), tty: wantsTty(context, options.tty) });
    }));

  program.command('shell').summary('open a terminal in an open environment')
    .description('An interactive login shell in the workspace. Without a terminal it reads commands from its input.')
    .argument('<project>', PROJECT_HELP)
    .option('-C, --cwd <folder>', 'working folder, relative to the workspace or absolute')
    .action(use(async (context, [project]: [string], options: ExecOptions) => {
      const found = requireRunning(await livingProject(context, project));
      return run(context, { projectId: found.id, argv: ['bash', '-l'], cwd: options.cwd ?? '', env: variables(context), tty: wantsTty(context, undefined) });
    }));
}

function collectVariable(value: string, before: readonly string[] = []): readonly string[] {
  if (!/^[A-Za-z_][A-Za-z0-9_]*(=|$)/.test(value)) throw new InvalidArgumentError('Give NAME=value, or NAME alone.');
  return [...before, value];
}

const wantsTty = (context: Context, asked: boolean | undefined): boolean =>
  asked ?? (!context.output.json && context.runtime.stdin.isTTY === true && context.runtime.stdout.isTTY === true);

/** What `--env` gave, and the kind of terminal: a program in the guest can only draw well when it knows what it draws on. */
function variables(context: Context, given: readonly string[] = []): Record<string, string> {
  const { env, stdout } = context.runtime;
  const names = stdout.isTTY === true ? ['TERM', 'COLORTERM', ...given] : given;
  return Object.fromEntries(names.flatMap((entry) => {
    const at = entry.indexOf('=');
    const name = at === -1 ? entry : entry.slice(0, at);
    const value = at === -1 ? env[name] : entry.slice(at + 1);
    return value === undefined ? [] : [[name, value]];
  }));
}

async function run(context: Context, request: ExecRequest): Promise<number> {
  const { runtime, output, session } = context;
  const connection = await session.connect();
  const { client } = connection;
  if (!output.json) {
    const end = await runExec(client, runtime, request, { stdout: (data) => writeTo(runtime.stdout, data, connection), stderr: (data) => writeTo(runtime.stderr, data, connection) });
    return end.exitCode;
  }
  const kept = { stdout: [] as Buffer[], stderr: [] as Buffer[], bytes: 0, truncated: false };
  const keep = (where: Buffer[]) => async (data: Buffer): Promise<void> => {
    const room = Math.max(0, JSON_OUTPUT_LIMIT_BYTES - kept.bytes);
    if (data.length > room) kept.truncated = true;
    where.push(data.subarray(0, room));
    kept.bytes += Math.min(room, data.length);
  };
  const sink: ExecSink = { stdout: keep(kept.stdout), stderr: keep(kept.stderr) };
  const end = await runExec(client, runtime, request, sink);
  output.result({
    id: request.projectId, exitCode: end.exitCode, code: end.code, signal: end.signal,
    stdout: Buffer.concat(kept.stdout).toString('utf8'), stderr: Buffer.concat(kept.stderr).toString('utf8'), truncated: kept.truncated,
  }, () => '');
  return end.exitCode;
}

/** Waits while the reader is slow, so that memory stays flat. A reader that left is CANCELLED. */
async function writeTo(stream: Writable, data: Buffer, connection: Connection): Promise<void> {
  if (stream.destroyed || stream.errored !== null) throw new VesselError('CANCELLED', 'The reader of the output left');
  if (stream.write(data)) return;
  connection.pause();
  await new Promise<void>((resolve, reject) => {
    const leave = new AbortController();
    stream.once('drain', () => { leave.abort(); resolve(); });
    finished(stream, { signal: leave.signal }).then(() => resolve(), (error: unknown) => {
      if (!leave.signal.aborted) reject(VesselError.from(error));
    });
  }).finally(connection.resume);
}
