import type { ReactNode } from 'react';
import { classes } from '../../design/classes.ts';
import { useStore } from '../../state/store.ts';
import { totals } from '../console/outcome-panel.tsx';

/** What stands on the window between the console and the workbench's first paint: the totals of the opening. */
export function IdeCover({ projectId, hidden }: { readonly projectId: string; readonly hidden: boolean }): ReactNode {
  const text = useStore((state) => {
    const opened = Object.values(state.operations).filter((operation) => operation.projectId === projectId && operation.kind === 'open' && operation.state === 'succeeded');
    const latest = opened.toSorted((a, b) => b.startedAt - a.startedAt)[0];
    return latest === undefined ? 'Connecting' : totals(latest);
  });
  return (
    <div role="status" aria-hidden={hidden} className={classes('term pointer-events-none! absolute inset-0 flex flex-col items-center justify-center gap-2 transition-opacity duration-200', hidden && 'opacity-0')}>
      <p className="text-lg text-term-green" data-testid="ready-in">{text}</p>
      <p className="text-sm text-term-dim">Loading VS Code…<span aria-hidden="true" className="ml-1 inline-block h-3.5 w-2 translate-y-0.5 animate-[vessel-blink_1s_steps(1)_1.5s_infinite] bg-term-green" /></p>
    </div>
  );
}
