import type { ReactNode } from 'react';

/** A hull with two sails: the mark of Vessel. */
export function Logo({ size = 28 }: { readonly size?: number }): ReactNode {
  return (
    <svg aria-hidden="true" width={size} height={size} viewBox="0 0 32 32">
      <rect width="32" height="32" rx="8" fill="#0a6c66" />
      <path d="M7 13h18l-3.2 9.2a2 2 0 0 1-1.9 1.3h-7.8a2 2 0 0 1-1.9-1.3z" fill="#fff" />
      <path d="M15 5.5v5.6H9.8zM17 8v3.1h4.2z" fill="#8fe6d9" />
    </svg>
  );
}
