import type { Command } from 'commander';
import { DETACH, PROJECT_HELP } from '../arguments.ts';
import type { Use } from '../command-kit.ts';
import { livingProject } from '../context.ts';
import { runOperation } from '../run-operation.ts';

/** move, resolve, take-over: a project and the cloud it also rests in. */
export function registerProjectStore(group: Command, use: Use): void {
  group.command('store').summary('change where a project rests besides this computer')
    .description('Nothing is removed anywhere before all of it lies verified here. Refused while the project is open.')
    .argument('<project>', PROJECT_HELP)
    .addArgument(group.createArgument('<store>', 'local: this computer only').choices(['local', 'supabase', 's3']))
    .option(...DETACH)
    .action(use(async (context, [query, store]: [string, 'local' | 'supabase' | 's3'], options: { readonly detach?: boolean }) => {
      const { id } = await livingProject(context, query);
      const operation = await runOperation(context, () => context.session.call('projects.moveToStore', { projectId: id, store }), options);
      if (operation === null) return;
      const project = await context.session.call('projects.get', { projectId: id });
      context.output.result({ ...project, operationId: operation.id }, () => `${project.name} rests ${project.sync === undefined ? 'on this computer only' : `also in ${project.sync.store} (${project.sync.state})`}`);
    }));

  group.command('resolve').summary('end a conflict: choose which of two saves goes on')
    .description('Both saves stay in the history. `mine` makes the save of this computer the newest revision again, `theirs` keeps the other one.')
    .argument('<project>', PROJECT_HELP)
    .addArgument(group.createArgument('<keep>', 'which one').choices(['mine', 'theirs']))
    .action(use(async (context, [query, keep]: [string, 'mine' | 'theirs']) => {
      const { id } = await livingProject(context, query);
      const { operationId } = await context.session.call('sync.resolve', { projectId: id, keep });
      if (operationId !== null) await runOperation(context, () => Promise.resolve({ operationId }));
      const project = await context.session.call('projects.get', { projectId: id });
      context.output.result(project, () => `Revision ${project.head?.rev ?? '?'} goes on; the other save stays in the history.`);
    }));

  group.command('take-over').summary('take the lease of a project that is open on another device')
    .description('The other device is told. If it saves all the same, the second of the two saves becomes a branch.')
    .argument('<project>', PROJECT_HELP)
    .action(use(async (context, [query]: [string]) => {
      const { id } = await livingProject(context, query);
      await context.session.call('sync.takeOver', { projectId: id });
      context.output.result({ id, takenOver: true }, () => `${id} is open here now`);
    }));
}
