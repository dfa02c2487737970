import type { ReactNode } from 'react';
import { Card } from '../../design/surface.tsx';

/** One number of a host with its name and its reason. */
export function Tile({ icon, label, value, children, testId }: { readonly icon: ReactNode; readonly label: string; readonly value: string; readonly children: ReactNode; readonly testId?: string }): ReactNode {
  return (
    <Card className="p-4">
      <p className="flex items-center gap-2 text-sm text-ink-soft"><span aria-hidden="true" className="text-accent">{icon}</span>{label}</p>
      <p className="mt-1.5 text-lg leading-snug font-semibold" data-testid={testId}>{value}</p>
      <div className="mt-1 text-sm text-ink-soft">{children}</div>
    </Card>
  );
}
