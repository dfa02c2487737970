import type { Command } from 'commander';
import { VesselError } from '#shared/errors.ts';
import { integer, type Use } from '../command-kit.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { formatDuration } from '../format.ts';
import { serveInForeground } from '../serve-foreground.ts';
import { connectOrStart } from '../start-server.ts';
import { stopServer } from '../stop-server.ts';
import { renderFacts, renderTable } from '../table.ts';
import { stateCell } from './project.ts';

/** serve, quit, status: Vessel itself. */
export function registerSystem(program: Command, use: Use): void {
  program.command('serve').summary('start Vessel and print its address')
    .description('Starts Vessel in the background, or in this terminal. When it runs already, says where.')
    .option('-p, --port <port>', 'port of the gateway', integer(1, 65_535))
    .option('--foreground', 'stay in this terminal until Ctrl-C')
    .action(use(async (context, _args, options: { readonly port?: number; readonly foreground?: boolean }) => {
      if (options.foreground === true) return serveInForeground(context, options.port);
      const { connection, started } = await connectOrStart(context.runtime, context.session.home, options.port);
      const info = await connection.client.call('app.info', {});
      const { url } = await connection.client.call('app.url', {});
      connection.close();
      context.output.result({ started, ...info, url }, () => {
        context.output.note(started ? 'Vessel runs in the background. Stop it with `vessel quit`.' : 'Vessel runs already.');
        return url;
      });
    }));

  program.command('quit').summary('stop Vessel').description('Stops Vessel. Refused while environments run; `--force` leaves them running on the host, and the next start finds them.')
    .option('-f, --force', 'also while environments run')
    .action(use(async (context, _args, options: { readonly force?: boolean }) => {
      const stopped = await stopServer(context.session, options.force === true);
      context.output.result({ stopped }, () => stopped ? 'Vessel has ended' : 'Vessel was not running');
    }));

  program.command('status').summary('show whether Vessel runs and what is open').description(`Never starts Vessel. Exit code ${EXIT.unreachable} when it does not run.`)
    .action(use(async (context) => {
      const connection = await context.session.connectIfRunning();
      if (connection === null) {
        context.output.result({ running: false, home: context.session.home }, () => `Vessel does not run in ${context.session.home}`);
        return EXIT.unreachable;
      }
      await status(context, connection.server.movedFrom);
      return EXIT.ok;
    }));
}

async function status({ session, output }: Context, movedFrom: number | null): Promise<void> {
  const client = await session.client();
  const [info, { projects }, { orphans }] = await Promise.all([client.call('app.info', {}), client.call('projects.list', {}), client.call('environments.orphans', {})]).catch((error: unknown) => { throw VesselError.from(error); });
  const open = projects.filter(({ environment }) => environment !== null && environment.state !== 'destroyed');
  const environments = open.map((project) => ({ id: project.id, name: project.name, state: project.environment?.state ?? null, dirty: project.environment?.dirty ?? false }));
  output.result({ running: true, ...info, projects: projects.length, environments, orphans }, () => [
    renderFacts([
      ['vessel', `${info.version}, pid ${info.pid}, up ${formatDuration(info.uptimeMs)}`],
      ['address', `${info.baseUrl}${movedFrom === null ? '' : ` (port ${movedFrom}, used before, is taken)`}`],
      ['home', info.home],
      ['projects', `${projects.length}, ${open.length} open`],
      ...(orphans.length === 0 ? [] : [['rescue', { text: `${orphans.length} unknown environments run: vessel rescue`, format: 'yellow' }] as const]),
    ], output.style),
    ...(open.length === 0 ? [] : ['', renderTable(['id', 'name', 'state'], open.map((project) => [project.id, project.name, stateCell(project)]), output.style)]),
  ].join('\n'));
}
