import { useEffect, useState } from 'react';
import type { ErrorShape } from '#shared/errors.ts';
import type { LogLine, Operation } from '#shared/operation.ts';
import { useClient } from '../../state/client-context.ts';
import { followOperation } from '../../state/follow-operation.ts';
import { toShape, useStore } from '../../state/store.ts';

/** A console shows the newest lines of a very long log; the whole of it stays in Vessel's database. */
export const SHOWN_LINES = 4_000;

export type WatchedOperation = {
  readonly operation: Operation | null;
  readonly lines: readonly LogLine[];
  readonly error: ErrorShape | null;
  /** True once it was seen running here, so that its end is news. */
  readonly sawRunning: boolean;
};

/** One operation and its log from the first line on, live. Lines are shown a frame at a time, however fast they come. */
export function useOperation(operationId: string): WatchedOperation {
  const client = useClient();
  const known = useStore((state) => state.operations[operationId] ?? null);
  const [lines, setLines] = useState<readonly LogLine[]>([]);
  const [error, setError] = useState<ErrorShape | null>(null);
  const [sawRunning, setSawRunning] = useState(known?.state === 'running');
  useEffect(() => {
    const controller = new AbortController();
    let fresh: LogLine[] = [];
    let frame = 0;
    const flush = (): void => {
      frame = 0;
      const batch = fresh;
      fresh = [];
      setLines((before) => [...before, ...batch].slice(-SHOWN_LINES));
    };
    setLines([]);
    setError(null);
    followOperation(client, operationId, {
      onOperation: (operation) => {
        if (operation.state === 'running') setSawRunning(true);
        useStore.getState().addOperation(operation);
      },
      onLine: (line) => { fresh.push(line); if (frame === 0) frame = requestAnimationFrame(flush); },
    }, controller.signal).catch((caught: unknown) => { if (!controller.signal.aborted) setError(toShape(caught)); });
    return () => { controller.abort(); cancelAnimationFrame(frame); };
  }, [client, operationId]);
  return { operation: known, lines, error, sawRunning };
}
