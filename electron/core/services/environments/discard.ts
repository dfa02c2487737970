import { VesselError } from '#shared/errors.ts';
import type { StartedOperation } from '../operations/operations.ts';
import { audit } from '../context.ts';
import { destroyVm } from './destroy.ts';
import type { EnvironmentContext } from './environment-context.ts';

/** Destroys an environment without saving. `confirm` must repeat the project id, or BAD_REQUEST is thrown. */
export function discardEnvironment(context: EnvironmentContext, projectId: string, confirm: string): StartedOperation {
  const project = context.records.project(projectId);
  if (confirm !== projectId) throw new VesselError('BAD_REQUEST', 'Type the project id to confirm that unsaved work is thrown away', { details: { expected: projectId } });
  const state = context.records.find(projectId)?.state;
  if (state !== 'running' && state !== 'hibernated' && state !== 'error' && state !== 'destroying') throw new VesselError('ILLEGAL_TRANSITION', `There is nothing to discard: the environment is ${state ?? 'absent'}`);
  return context.operations.start({
    kind: 'discard', title: `Discard ${project.name}`, projectId, hostId: project.hostId, cancellable: false,
    request: { call: 'environments.discard', input: { projectId, confirm } }, state: {}, result: () => null,
    steps: [{
      id: 'destroy', title: 'End the microVM without saving', weight: 1,
      run: async ({ signal, operationId }) => {
        audit(context, { kind: 'environment.discarded', projectId, hostId: project.hostId, operationId, text: 'Discarded without saving' });
        await destroyVm(context, projectId, signal);
      },
    }],
  });
}
