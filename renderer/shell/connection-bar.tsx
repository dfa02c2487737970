import { CloudOff } from 'lucide-react';
import type { ReactNode } from 'react';
import { formatLeft } from '../lib/format.ts';
import { useTicking } from '../state/clock.ts';
import type { ConnectionState } from '../state/connection.ts';
import { useStore } from '../state/store.ts';

/** The first attempts heal a restart within a second; only then is it worth a word. */
const QUIET_ATTEMPTS = 1;

/** By then it has not been a restart: about six seconds. */
const ENDED_ATTEMPTS = 5;

/** Says that Vessel does not answer, and when the next attempt comes. What is on the screen stays readable. */
export function ConnectionBar({ retryNow }: { readonly retryNow: () => void }): ReactNode {
  const connection = useStore((state) => state.connection);
  const left = useTicking((now) => (connection.phase === 'reconnecting' && connection.retryAt !== null ? formatLeft(connection.retryAt, now) : 'now'));
  if (connection.phase !== 'reconnecting' || connection.attempt <= QUIET_ATTEMPTS) return null;
  return (
    <div role="status" data-testid="reconnecting" className="fixed inset-x-0 bottom-5 z-40 mx-auto flex w-max max-w-[calc(100vw-32px)] items-center gap-3 rounded-full border border-warn/40 bg-warn-soft py-1.5 pr-2 pl-4 shadow-raised">
      <CloudOff aria-hidden="true" size={16} className="shrink-0 text-warn" />
      <span className="text-base"><strong className="font-semibold text-warn">Reconnecting</strong> <span className="text-ink-soft">{whatToDo(connection)} Next attempt {left === 'now' ? 'now' : `in ${left}`}.</span></span>
      <button type="button" className="shrink-0 rounded-full px-3 py-0.5 font-medium text-warn hover:bg-warn/15" onClick={retryNow}>Try now</button>
    </div>
  );
}

/** Nothing is known of the environments while Vessel is away (the computer may have restarted): nothing is claimed of them. */
function whatToDo({ attempt, otherProgram }: Extract<ConnectionState, { phase: 'reconnecting' }>): string {
  if (otherProgram) return 'Another program answers at this address. Run vessel url in a terminal: it shows where Vessel is now.';
  if (attempt < ENDED_ATTEMPTS) return 'Vessel doesn’t answer.';
  return 'Vessel doesn’t answer. If it has ended, start it with npm start or vessel serve: this page goes on by itself.';
}
