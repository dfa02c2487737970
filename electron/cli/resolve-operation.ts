import { VesselError } from '#shared/errors.ts';
import type { Operation } from '#shared/operation.ts';
import type { Session } from './session.ts';

/** As far back as a beginning of an id is looked for. */
const LOOK_BACK = 500;

/** An operation by its id or a unique beginning of it. Throws NOT_FOUND, or CONFLICT with the candidates. */
export async function resolveOperation(session: Session, query: string): Promise<Operation> {
  const { operations } = await session.call('operations.list', { limit: LOOK_BACK });
  const exact = operations.find(({ id }) => id === query);
  if (exact !== undefined) return exact;
  const found = query === '' ? [] : operations.filter(({ id }) => id.startsWith(query));
  if (found.length === 1 && found[0] !== undefined) return found[0];
  if (found.length > 1) {
    throw new VesselError('CONFLICT', `${JSON.stringify(query)} fits ${found.length} operations: ${found.map(({ id }) => id).join(', ')}`, {
      hint: 'Give more of the id.', retryable: false, details: { query, candidates: found.map(({ id, title }) => ({ id, title })) },
    });
  }
  return session.call('operations.get', { operationId: query }).catch((error: unknown) => {
    if (!(error instanceof VesselError) || error.code !== 'NOT_FOUND') throw error;
    throw new VesselError('NOT_FOUND', `There is no project or operation ${JSON.stringify(query)}`, { hint: 'See `vessel project list` and `vessel operations`.', details: { query } });
  });
}
