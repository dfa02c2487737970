import type { Command } from 'commander';
import { VesselError } from '#shared/errors.ts';
import { PROJECT_HELP } from '../arguments.ts';
import { integer, type Use } from '../command-kit.ts';
import { livingProject } from '../context.ts';
import { requireRunning } from '../resolve-project.ts';
import { renderTable } from '../table.ts';

/** url and ports: how to reach what runs inside. */
export function registerPorts(program: Command, use: Use): void {
  program.command('url').summary('print an address of Vessel or of an open environment')
    .description('Prints an address with a fresh, short-lived ticket: of Vessel itself, of VS Code in an open environment, or of a port that its guest serves.')
    .argument('[project]', PROJECT_HELP)
    .option('-p, --port <port>', 'a port inside the guest', integer(1, 65_535))
    .action(use(async (context, [query]: [string | undefined], options: { readonly port?: number }) => {
      const { session, output } = context;
      if (query === undefined) {
        if (options.port !== undefined) throw new VesselError('BAD_REQUEST', 'A port belongs to a project', { hint: 'See `vessel url --help`.' });
        const address = await session.call('app.url', {});
        output.result(address, () => address.url);
        return;
      }
      const { id } = requireRunning(await livingProject(context, query));
      const address = await session.call('environments.url', { projectId: id, ...(options.port === undefined ? {} : { port: options.port }) });
      output.result({ id, ...address }, () => address.url);
    }));

  program.command('ports').summary('list what listens inside an open environment')
    .description('The TCP ports that programs in the guest listen on, and their addresses.')
    .argument('<project>', PROJECT_HELP)
    .action(use(async (context, [query]: [string]) => {
      const { id } = requireRunning(await livingProject(context, query));
      const { ports } = await context.session.call('environments.ports', { projectId: id });
      context.output.result({ id, ports }, () => ports.length === 0 ? 'Nothing listens yet.'
        : renderTable(['port', 'process', 'address'], ports.map(({ port, process, url }) => [String(port), process ?? '-', url]), context.output.style));
    }));
}
