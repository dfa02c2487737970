import { VesselError } from '#shared/errors.ts';
import type { Operation } from '#shared/operation.ts';
import type { Context } from './context.ts';
import { EXIT, exitCodeOfSignal } from './exit-codes.ts';
import { followOperation, requireSuccess } from './follow-operation.ts';
import { progressFor } from './progress.ts';
import type { ForwardedSignal } from './runtime.ts';

/** Thrown when the user leaves; the command ends with this code and says no more than what was already said. */
export class Left extends Error {
  readonly exitCode: number;
  constructor(exitCode: number) {
    super('left');
    this.exitCode = exitCode;
  }
}

export type RunOptions = {
  /** Print the operation's id and return at once. */
  readonly detach?: boolean;
  /** On BUSY: follow the operation of this kind that is already working on the project, as its second caller. */
  readonly join?: { readonly projectId: string; readonly kind: Operation['kind'] };
};

/**
 * Starts an operation and shows it to its end. Ctrl-C asks Vessel to cancel it and waits for the clean end (exit code 6);
 * when it cannot be cancelled, or at the second Ctrl-C, only this command leaves and the operation goes on.
 *
 * Returns null when detached. Throws the operation's error.
 */
export async function runOperation(context: Context, start: () => Promise<{ readonly operationId: string }>, options: RunOptions = {}): Promise<Operation | null> {
  const started = await startOrJoin(context, start, options);
  const { operationId } = started;
  if (options.detach === true) {
    context.output.result(started, () => operationId);
    return null;
  }
  const { runtime, output, session } = context;
  const view = progressFor(runtime, { json: output.json, verbose: context.verbose, style: output.errorStyle });
  const leave = new AbortController();
  let signals = 0;
  const onSignal = (signal: ForwardedSignal) => (): void => {
    signals += 1;
    if (signals > 1) {
      leave.abort(signal);
      return;
    }
    session.call('operations.cancel', { operationId }).then(
      () => output.note('Cancelling. Press Ctrl-C again to leave it to itself.'),
      (error: unknown) => {
        output.note(`It cannot be cancelled: ${VesselError.from(error).message}`);
        leave.abort(signal);
      },
    );
  };
  const offs = (['SIGINT', 'SIGTERM'] as const).map((signal) => runtime.onSignal(signal, onSignal(signal)));
  try {
    return requireSuccess(await followOperation(session, operationId, { signal: leave.signal, onOperation: view.operation, onLog: view.log }));
  } catch (error) {
    if (!leave.signal.aborted) throw error;
    view.end();
    if (output.json) output.failure(new VesselError('CANCELLED', 'Left while it still runs', { details: { operationId } }).toShape());
    else output.note(`It goes on: \`vessel logs -f ${operationId}\`.`);
    throw new Left(signals > 1 ? EXIT.cancelled : exitCodeOfSignal(String(leave.signal.reason)));
  } finally {
    for (const off of offs) off();
    view.end();
  }
}

async function startOrJoin(context: Context, start: () => Promise<{ readonly operationId: string }>, { join }: RunOptions): Promise<{ readonly operationId: string }> {
  try {
    return await start();
  } catch (error) {
    if (join === undefined || !(error instanceof VesselError) || error.code !== 'BUSY') throw error;
    const { activeOperationId } = await context.session.call('projects.get', { projectId: join.projectId });
    if (activeOperationId === null) throw error;
    const active = await context.session.call('operations.get', { operationId: activeOperationId });
    if (active.kind !== join.kind) throw error;
    context.output.note(`Already under way (${activeOperationId}): following it.`);
    return { operationId: activeOperationId };
  }
}
