import type { ReactNode } from 'react';
import type { Hunk, TextDiff } from '#shared/archive-contract.ts';
import { classes } from '../../design/classes.ts';

/** The lines of a comparison, with the numbers of both sides. */
export function TextDiffView({ diff }: { readonly diff: TextDiff }): ReactNode {
  switch (diff.form) {
    case 'same': return <Note>No difference in its content.</Note>;
    case 'binary': return <Note>Binary, or not in UTF-8: only size and hash can be compared.</Note>;
    case 'too-large': return <Note>Too large, or too different, to compare line by line.</Note>;
    case 'text': return (
      <div tabIndex={0} role="region" aria-label="Changed lines" className="overflow-x-auto rounded-lg border border-line bg-surface font-mono text-xs leading-5 [font-variant-ligatures:none]">
        <table className="w-full border-collapse"><tbody>{diff.hunks.map((hunk, index) => <HunkRows key={`${hunk.oldStart}-${hunk.newStart}`} hunk={hunk} first={index === 0} />)}</tbody></table>
      </div>
    );
    default: return diff satisfies never;
  }
}

function Note({ children }: { readonly children: ReactNode }): ReactNode {
  return <p className="rounded-lg border border-line bg-canvas px-4 py-3 text-sm text-ink-soft">{children}</p>;
}

function HunkRows({ hunk, first }: { readonly hunk: Hunk; readonly first: boolean }): ReactNode {
  let [old, young] = [hunk.oldStart, hunk.newStart];
  return (
    <>
      <tr className="bg-canvas text-ink-faint"><td colSpan={4} className={classes('px-3 py-0.5 select-none', !first && 'border-t border-line')}>@@ line {hunk.newStart} @@</td></tr>
      {hunk.lines.map((line, index) => {
        const sign = line[0];
        const added = sign === '+';
        const removed = sign === '-';
        const row = (
          <tr key={index} className={classes(added && 'bg-ok-soft', removed && 'bg-bad-soft')}>
            <td className="tabular w-10 px-2 text-right text-ink-faint select-none">{added || sign === '\\' ? '' : old}</td>
            <td className="tabular w-10 px-2 text-right text-ink-faint select-none">{removed || sign === '\\' ? '' : young}</td>
            <td className={classes('w-4 text-center select-none', added ? 'text-ok' : removed ? 'text-bad' : 'text-ink-faint')}>{sign === '\\' ? '' : sign}</td>
            <td className={classes('pr-3 whitespace-pre', sign === '\\' && 'text-ink-faint italic')}>{line.slice(1)}</td>
          </tr>
        );
        if (!added && sign !== '\\') old += 1;
        if (!removed && sign !== '\\') young += 1;
        return row;
      })}
    </>
  );
}
