import { type ReactNode, useId } from 'react';

/** A short explanation that shows on hover and on keyboard focus of what it wraps. */
export function Tooltip({ text, children }: { readonly text: string; readonly children: ReactNode }): ReactNode {
  const id = useId();
  return (
    <span className="group relative inline-flex" aria-describedby={id}>
      {children}
      <span id={id} role="tooltip" className="pointer-events-none absolute bottom-full left-1/2 z-20 mb-1.5 w-max max-w-64 -translate-x-1/2 rounded-md bg-ink px-2 py-1 text-xs text-canvas opacity-0 shadow-raised transition-opacity group-focus-within:opacity-100 group-hover:opacity-100">
        {text}
      </span>
    </span>
  );
}
