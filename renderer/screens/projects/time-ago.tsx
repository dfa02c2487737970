import type { ReactNode } from 'react';
import { formatAgo, formatDateTime } from '../../lib/format.ts';
import { useTicking } from '../../state/clock.ts';

/** A moment as `2 min ago`, kept true; the exact time is its tooltip. */
export function TimeAgo({ at }: { readonly at: number }): ReactNode {
  const text = useTicking((now) => formatAgo(at, now));
  return <time dateTime={new Date(at).toISOString()} title={formatDateTime(at)}>{text}</time>;
}
