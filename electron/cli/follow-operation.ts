import { VesselError } from '#shared/errors.ts';
import type { LogLine, Operation } from '#shared/operation.ts';
import type { Session } from './session.ts';

/** Vessel may be restarting under us; an operation survives that, so wait as long as a restart plausibly takes. */
const RECONNECT_DEADLINE_MS = 30_000;

export type FollowOptions = {
  readonly onOperation?: (operation: Operation) => void;
  readonly onLog?: (line: LogLine) => void;
  readonly afterSeq?: number;
  /** Stops following; the operation itself goes on. */
  readonly signal?: AbortSignal;
};

/**
 * Follows an operation to its end, whatever happens to the connection: after a break it goes on behind the last log line
 * it has seen. Resolves with the ended operation, whether it succeeded or not.
 */
export async function followOperation(session: Session, operationId: string, options: FollowOptions = {}): Promise<Operation> {
  let afterSeq = options.afterSeq ?? 0;
  for (;;) {
    const { client } = await session.reconnect(RECONNECT_DEADLINE_MS);
    try {
      let last: Operation | null = null;
      for await (const event of client.stream('operations.watch', { operationId, afterSeq }, options.signal === undefined ? {} : { signal: options.signal })) {
        switch (event.kind) {
          case 'operation':
            last = event.operation;
            options.onOperation?.(event.operation);
            break;
          case 'log':
            if (event.line.seq <= afterSeq) break; // a replay may overlap
            afterSeq = event.line.seq;
            options.onLog?.(event.line);
            break;
        }
      }
      if (last !== null && last.state !== 'running') return last;
      const now = await client.call('operations.get', { operationId });
      if (now.state !== 'running') return now;
    } catch (error) {
      if (!(error instanceof VesselError) || error.code !== 'SERVER_UNREACHABLE') throw error;
    }
  }
}

/** The operation's own failure as an error; returns it when it succeeded. */
export function requireSuccess(operation: Operation): Operation {
  switch (operation.state) {
    case 'succeeded': return operation;
    case 'running': throw new VesselError('INTERNAL', 'The operation was left while it still runs');
    case 'cancelled': throw withOperation(operation.error === null ? new VesselError('CANCELLED') : VesselError.fromShape(operation.error), operation);
    case 'failed': throw withOperation(operation.error === null ? new VesselError('INTERNAL', `${operation.title} failed without a reason`) : VesselError.fromShape(operation.error), operation);
  }
}

function withOperation(error: VesselError, operation: Operation): VesselError {
  const code = operation.state === 'cancelled' ? 'CANCELLED' : error.code;
  return new VesselError(code, error.message, { ...error, cause: error, details: { ...error.details, operationId: operation.id } });
}
