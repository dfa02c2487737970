import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { VesselError } from '#shared/errors.ts';
import { expandHome } from '#shared/paths.ts';
import { TEMPLATE_IDS, TIERS, type Project, type TemplateId, type Tier } from '#shared/project.ts';
import { DETACH, PROJECT_HELP } from '../arguments.ts';
import type { Use } from '../command-kit.ts';
import { anyProject, livingProject, type Context } from '../context.ts';
import { count, formatAgo, formatBytes } from '../format.ts';
import { runOperation } from '../run-operation.ts';
import { renderTable, type Cell } from '../table.ts';

/** create, import, list, rename, delete, undelete. */
export function registerProject(group: Command, use: Use): void {
  group.command('create').summary('create a project from a template')
    .description('Creates a project. Its first revision is the template.')
    .argument('<name>', 'what people call it; its id is made from it')
    .addOption(new Option('-t, --template <template>', 'what it starts with').choices(TEMPLATE_IDS).default('blank'))
    .addOption(new Option('--tier <tier>', 'size of its machine').choices(Object.keys(TIERS)))
    .option('--host <host>', 'where it runs', 'local')
    .action(use(async (context, [name]: [string], options: { readonly template: TemplateId; readonly tier?: Tier; readonly host: string }) => {
      const settings = options.tier === undefined ? {} : { tier: options.tier };
      const project = await context.session.call('projects.create', { name, template: options.template, hostId: options.host, settings });
      context.output.result(project, () => project.id);
    }));

  group.command('import').summary('create a project from a zip file or a folder')
    .description('Creates a project whose first revision is the content of a zip file or a folder of this computer. Of a zip that holds one folder, as a download of a repository does, that folder\'s content is taken. Links are kept as they are and never followed.')
    .argument('<path>', 'zip file or folder')
    .option('-n, --name <name>', 'what people call it (default: the name of the file)')
    .option('--host <host>', 'where it runs', 'local')
    .option('--keep-top-folder', 'keep the one folder that holds all of a zip, instead of taking its content')
    .option(...DETACH)
    .action(use(async (context, [path]: [string], options: { readonly name?: string; readonly host: string; readonly keepTopFolder?: boolean; readonly detach?: boolean }) => {
      const { runtime, session, output } = context;
      // The shell does this for a bare word, not for one in quotes.
      const absolute = resolve(runtime.cwd, expandHome(path, runtime.homeDirectory));
      if (!existsSync(absolute)) throw new VesselError('NOT_FOUND', `There is no file or folder ${path}`, { details: { path: absolute } });
      let projectId = '';
      const operation = await runOperation(context, async () => {
        const started = await session.call('projects.import', { path: absolute, hostId: options.host, topFolder: options.keepTopFolder === true ? 'keep' : 'strip', ...(options.name === undefined ? {} : { name: options.name }) });
        projectId = started.projectId;
        return started;
      }, options);
      if (operation === null) return;
      const project = await session.call('projects.get', { projectId });
      output.result({ ...project, operationId: operation.id }, () => {
        if (project.head !== null) output.note(`Imported ${count(project.head.files, 'file')}, ${formatBytes(project.head.contentBytes)}`);
        return project.id;
      });
    }));

  group.command('list').alias('ls').summary('list the projects')
    .description('All projects with the state of their environment and their last verified save.')
    .option('-a, --all', 'deleted ones too')
    .action(use(async (context, _args, options: { readonly all?: boolean }) => {
      const { projects } = await context.session.call('projects.list', { includeDeleted: options.all === true });
      context.output.result({ projects }, () => projectTable(context, projects));
    }));

  group.command('rename').summary('change the name; the id stays')
    .description('Changes what people call the project. Its id, and with it its address, stays.')
    .argument('<project>', PROJECT_HELP).argument('<name>', 'the new name')
    .action(use(async (context, [query, name]: [string, string]) => {
      const { id } = await livingProject(context, query);
      const project = await context.session.call('projects.update', { projectId: id, name });
      context.output.result(project, () => `${project.id} is now called ${project.name}`);
    }));

  group.command('move').summary('run it on another host from now on')
    .description('Makes another host the one where the project runs. Refused while it is open: Save & Exit first.')
    .argument('<project>', PROJECT_HELP).argument('<host>', 'its new host; this computer is `local`')
    .action(use(async (context, [query, hostId]: [string, string]) => {
      const { id } = await livingProject(context, query);
      const project = await context.session.call('projects.move', { projectId: id, hostId });
      context.output.result(project, () => `${project.name} runs on ${project.hostId} from now on`);
    }));

  group.command('delete').alias('rm').summary('delete a project; it can be brought back for 30 days')
    .description('Hides the project. Its revisions stay for 30 days; `undelete` brings it back. Refused while it is open.')
    .argument('<project>', PROJECT_HELP)
    .action(use(async (context, [query]: [string]) => {
      const { id } = await livingProject(context, query);
      const project = await context.session.call('projects.delete', { projectId: id });
      context.output.result(project, () => `Deleted ${project.name}. Bring it back: vessel project undelete ${project.id}`);
    }));

  group.command('undelete').summary('bring a deleted project back')
    .description('Brings a deleted project back with all its revisions.')
    .argument('<project>', PROJECT_HELP)
    .action(use(async (context, [query]: [string]) => {
      const found = await anyProject(context, query);
      const project = found.deletedAt === null ? found : await context.session.call('projects.undelete', { projectId: found.id });
      context.output.result(project, () => `${project.name} (${project.id}) is back`);
    }));
}

export function stateCell(project: Project): Cell {
  if (project.deletedAt !== null) return { text: 'deleted', format: 'dim' };
  const state = project.environment?.state ?? 'closed';
  switch (state) {
    case 'running': return { text: project.environment?.dirty === true ? 'open, unsaved changes' : 'open', format: 'green' };
    case 'error': return { text: 'error', format: 'red' };
    case 'destroyed': case 'closed': return { text: 'closed', format: 'dim' };
    case 'requested': case 'starting': case 'stopping': case 'destroying': case 'hibernated': return { text: state, format: 'yellow' };
  }
}

function cloudCell({ sync }: Project): Cell {
  if (sync === undefined) return { text: '-', format: 'dim' };
  if (sync.conflict !== null) return { text: 'saved on two computers', format: 'red' };
  return { text: sync.state, format: sync.state === 'synced' ? 'green' : sync.state === 'pending' ? 'yellow' : 'red' };
}

function projectTable(context: Context, projects: readonly Project[]): string {
  if (projects.length === 0) return 'No projects yet. Create one: vessel project create <name>';
  const now = context.runtime.now();
  const clouds = projects.some(({ sync }) => sync !== undefined);
  return renderTable(['id', 'name', 'state', ...(clouds ? ['cloud'] : []), 'template', 'size', 'last verified save'], projects.map((project) => [
    project.id, project.name, stateCell(project), ...(clouds ? [cloudCell(project)] : []), project.template ?? '-', project.head === null ? '-' : formatBytes(project.head.bytes),
    project.head === null ? 'never' : `${formatAgo(project.head.verifiedAt, now)} (rev ${project.head.rev}, ${count(project.head.files, 'file')})`,
  ]), context.output.style);
}
