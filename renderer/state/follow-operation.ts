import type { Client } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { LogLine, Operation } from '#shared/operation.ts';
import { pause } from './follow-state.ts';

const RETRY_MS = 300;

export type OperationListener = {
  onOperation(operation: Operation): void;
  onLine(line: LogLine): void;
};

/**
 * Follows one operation to its end. After a lost connection it continues behind the last line it has, so that no line is
 * missed or shown twice. Resolves when the operation has ended or the signal aborts; rejects when there is no such operation.
 */
export async function followOperation(client: Client, operationId: string, listener: OperationListener, signal: AbortSignal): Promise<void> {
  let lastSeq = 0;
  let ended = false;
  while (!signal.aborted) {
    try {
      for await (const event of client.stream('operations.watch', { operationId, afterSeq: lastSeq }, { signal })) {
        if (event.kind === 'operation') {
          ended = event.operation.state !== 'running';
          listener.onOperation(event.operation);
        } else if (event.line.seq > lastSeq) {
          lastSeq = event.line.seq;
          listener.onLine(event.line);
        }
      }
      if (ended) return;
    } catch (error) {
      if (signal.aborted) return;
      const failure = VesselError.from(error);
      if (failure.code === 'NOT_FOUND' || failure.code === 'BAD_REQUEST') throw failure;
    }
    await pause(RETRY_MS, signal);
  }
}
