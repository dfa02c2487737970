import { VesselError } from '#shared/errors.ts';
import type { Project } from '#shared/project.ts';
import { nearest } from './nearest.ts';

/**
 * The project a person means: its id, else its exact name, else a unique beginning of its id. A living project is preferred
 * to a deleted one.
 *
 * Throws CONFLICT with the candidates when several fit, NOT_FOUND with the nearest name when none does.
 */
export function resolveProject(query: string, projects: readonly Project[]): Project {
  const byId = projects.find((project) => project.id === query);
  if (byId !== undefined) return byId;
  const living = projects.filter((project) => project.deletedAt === null);
  const deleted = projects.filter((project) => project.deletedAt !== null);
  const tests = query === '' ? [] : [(project: Project) => project.name === query, (project: Project) => project.id.startsWith(query)];
  for (const group of [living, deleted]) {
    for (const test of tests) {
      const found = group.filter(test);
      if (found.length === 1 && found[0] !== undefined) return found[0];
      if (found.length > 1) throw ambiguous(query, found);
    }
  }
  const near = nearest(query, living.flatMap((project) => [project.name, project.id]));
  throw new VesselError('NOT_FOUND', `There is no project ${JSON.stringify(query)}`, {
    hint: near === null ? 'See `vessel project list`.' : `Did you mean ${JSON.stringify(near)}? See \`vessel project list\`.`,
    details: { query, ...(near === null ? {} : { nearest: near }) },
  });
}

function ambiguous(query: string, found: readonly Project[]): VesselError {
  return new VesselError('CONFLICT', `${JSON.stringify(query)} fits ${found.length} projects: ${found.map((project) => project.id).join(', ')}`, {
    hint: 'Give the whole id of the one you mean.',
    retryable: false,
    details: { query, candidates: found.map(({ id, name }) => ({ id, name })) },
  });
}

/** Refuses a deleted project with the way back. */
export function requireLiving(project: Project): Project {
  if (project.deletedAt === null) return project;
  throw new VesselError('NOT_FOUND', `The project ${project.name} (${project.id}) is deleted`, {
    hint: `Bring it back first: \`vessel project undelete ${project.id}\`.`, details: { projectId: project.id },
  });
}

/** Refuses a project whose environment does not run, before anything is asked of it. */
export function requireRunning(project: Project): Project {
  const state = project.environment?.state ?? 'closed';
  if (state === 'running') return project;
  throw new VesselError('ILLEGAL_TRANSITION', `The project ${project.name} is not open (${state})`, {
    hint: `Open it first: \`vessel open ${project.id}\`.`, details: { projectId: project.id, state },
  });
}
