import { ArrowDownToLine } from 'lucide-react';
import { memo, type ReactNode, useLayoutEffect, useRef, useState } from 'react';
import type { LogLine } from '#shared/operation.ts';
import { Button } from '../../design/button.tsx';
import { classes } from '../../design/classes.ts';

const INKS: Readonly<Record<LogLine['level'], string>> = { debug: 'text-term-dim', info: 'text-term-text', warn: 'text-term-amber', error: 'text-term-red' };
/** Closer to the end than this counts as being at the end. */
const NEAR_END_PX = 24;

/** The log. It follows its end until the person scrolls up, and again once they come back. */
export function LogView({ lines, running }: { readonly lines: readonly LogLine[]; readonly running: boolean }): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const [follows, setFollows] = useState(true);
  const toEnd = (): void => { box.current?.scrollTo({ top: box.current.scrollHeight }); };
  useLayoutEffect(() => { if (follows) toEnd(); }, [lines, follows]);
  const onScroll = (): void => {
    const element = box.current;
    if (element !== null) setFollows(element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END_PX);
  };
  const start = lines[0]?.at ?? 0;
  return (
    <section aria-label="Log" className="relative flex min-h-0 flex-col overflow-hidden rounded-lg border border-term-line bg-term-panel">
      <div ref={box} onScroll={onScroll} tabIndex={0} role="log" aria-live="off" aria-label="Log lines" data-testid="log" className="min-h-0 flex-1 overflow-y-auto p-4 text-xs leading-5">
        {lines.map((line) => <Line key={line.seq} line={line} start={start} />)}
        {lines.length === 0 && <p className="text-term-dim">{running ? 'Waiting for the first line…' : 'This operation wrote no log.'}</p>}
        {running && <span aria-hidden="true" className="inline-block h-3.5 w-2 translate-y-0.5 animate-[vessel-blink_1s_steps(1)_1.5s_infinite] bg-term-green" />}
      </div>
      {!follows && <Button variant="terminal" size="small" icon={<ArrowDownToLine size={13} />} className="absolute right-4 bottom-4" onClick={() => { setFollows(true); toEnd(); }}>Follow</Button>}
    </section>
  );
}

const Line = memo(function Line({ line, start }: { readonly line: LogLine; readonly start: number }): ReactNode {
  return (
    <div className="flex gap-3">
      <span className="tabular w-[9ch] shrink-0 text-right text-term-dim select-none">{`+${((line.at - start) / 1000).toFixed(3)}`}</span>
      <span className={classes('min-w-0 flex-1 break-words whitespace-pre-wrap', INKS[line.level])}>{line.text}</span>
    </div>
  );
});
