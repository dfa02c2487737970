import { GitFork } from 'lucide-react';
import type { ReactNode } from 'react';
import { Button } from '../../design/button.tsx';

/** Says that a file was changed in two windows at once, and lets a person choose; until then nothing is overwritten. */
export function ConflictBar({ onTake }: { readonly onTake: (take: 'mine' | 'theirs' | 'both') => void }): ReactNode {
  return (
    <div role="alert" className="flex shrink-0 items-center gap-2 border-b border-line bg-warn-soft px-3 py-2 text-sm text-warn" data-testid="draft-conflict">
      <GitFork aria-hidden="true" size={15} className="shrink-0" />
      <p className="min-w-0 flex-1">Changed in another window too. What you typed is not kept yet.</p>
      <Button size="small" onClick={() => onTake('both')} data-testid="take-both">Keep both</Button>
      <Button size="small" onClick={() => onTake('mine')} data-testid="take-mine">Keep this one</Button>
      <Button size="small" onClick={() => onTake('theirs')} data-testid="take-theirs">Take the other</Button>
    </div>
  );
}
