import type { ReactNode } from 'react';
import { ConnectDialog } from '../screens/hosts/connect-dialog.tsx';
import { RemoveHostDialog } from '../screens/hosts/remove-host-dialog.tsx';
import { DiscardDialog } from '../screens/ide/discard-dialog.tsx';
import { ConflictDialog } from '../screens/projects/conflict-dialog.tsx';
import { ImportDialog } from '../screens/projects/import-dialog.tsx';
import { OpenOnDialog } from '../screens/projects/open-on-dialog.tsx';
import { TakeOverDialog } from '../screens/projects/take-over-dialog.tsx';
import { useStore } from '../state/store.ts';
import { CommandPalette } from './command-palette.tsx';
import { ShortcutsDialog } from './shortcuts-dialog.tsx';

/** Dialogs that can open over any screen. */
export function Modals(): ReactNode {
  const modal = useStore((state) => state.modal);
  const setModal = useStore((state) => state.setModal);
  const close = (): void => setModal(null);
  if (modal === null) return null;
  switch (modal.kind) {
    case 'palette': return <CommandPalette onClose={close} />;
    case 'shortcuts': return <ShortcutsDialog onClose={close} />;
    case 'discard': return <DiscardDialog projectId={modal.projectId} onClose={close} />;
    case 'connect': return <ConnectDialog key={modal.hostId} hostId={modal.hostId} onClose={close} />;
    case 'remove-host': return <RemoveHostDialog hostId={modal.hostId} onClose={close} />;
    case 'open-on': return <OpenOnDialog projectId={modal.projectId} onClose={close} />;
    case 'conflict': return <ConflictDialog projectId={modal.projectId} onClose={close} />;
    case 'take-over': return <TakeOverDialog projectId={modal.projectId} onClose={close} />;
    case 'import': return <ImportDialog file={modal.file} onClose={close} />;
    default: return modal satisfies never;
  }
}
