import type { ReactNode } from 'react';
import { Kbd } from '../design/badge.tsx';
import { Dialog } from '../design/dialog.tsx';
import { SHORTCUTS } from './keys.ts';

export function ShortcutsDialog({ onClose }: { readonly onClose: () => void }): ReactNode {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose} width="narrow" testId="shortcuts">
      <dl className="divide-y divide-line">
        {SHORTCUTS.map((shortcut) => (
          <div key={shortcut.does} className="flex items-center justify-between gap-6 py-2">
            <dt>{shortcut.does}</dt>
            <dd className="flex shrink-0 gap-1">{shortcut.keys.map((key) => <Kbd key={key}>{key}</Kbd>)}</dd>
          </div>
        ))}
      </dl>
      <p className="mt-4 text-sm text-ink-soft">While the editor has the focus, keys belong to VS Code. Press Tab from the floating button or click beside the editor to come back.</p>
    </Dialog>
  );
}
