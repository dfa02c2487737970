import type { Project } from '#shared/project.ts';
import { Output } from './output.ts';
import { resolveProject, requireLiving } from './resolve-project.ts';
import type { Runtime } from './runtime.ts';
import { Session } from './session.ts';

export type GlobalOptions = { readonly json?: boolean; readonly verbose?: boolean; readonly start?: boolean };

/** What every command is given. */
export type Context = {
  readonly runtime: Runtime;
  readonly output: Output;
  readonly session: Session;
  readonly verbose: boolean;
};

export function makeContext(runtime: Runtime, options: GlobalOptions): Context {
  return {
    runtime,
    output: new Output(runtime, options.json === true),
    session: new Session(runtime, options.start !== false),
    verbose: options.verbose === true,
  };
}

/** The project a person named, deleted ones included. */
export async function anyProject(context: Context, query: string): Promise<Project> {
  const { projects } = await context.session.call('projects.list', { includeDeleted: true });
  return resolveProject(query, projects);
}

/** The project a person named; a deleted one is refused with the way back. */
export async function livingProject(context: Context, query: string): Promise<Project> {
  return requireLiving(await anyProject(context, query));
}
