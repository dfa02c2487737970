import { FileArchive } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import { useStore } from '../state/store.ts';

/** Lets a zip be dropped anywhere on the window. Anything else that is dropped is refused in words. */
export function DropZip(): ReactNode {
  const [over, setOver] = useState(false);
  useEffect(() => {
    let depth = 0;
    const carriesFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') === true;
    const onEnter = (event: DragEvent): void => { if (carriesFiles(event)) { depth += 1; setOver(true); } };
    const onLeave = (): void => { depth = Math.max(0, depth - 1); if (depth === 0) setOver(false); };
    const onOver = (event: DragEvent): void => { if (carriesFiles(event)) event.preventDefault(); };
    const onDrop = (event: DragEvent): void => {
      depth = 0;
      setOver(false);
      if (!carriesFiles(event)) return;
      event.preventDefault();
      const { setModal, toast } = useStore.getState();
      const file = event.dataTransfer?.files[0];
      if (file !== undefined && /\.zip$/i.test(file.name)) setModal({ kind: 'import', file });
      else toast('bad', 'Only a .zip file can be dropped here', 'To bring in a folder, choose Import and then Folder.');
    };
    window.addEventListener('dragenter', onEnter);
    window.addEventListener('dragleave', onLeave);
    window.addEventListener('dragover', onOver);
    window.addEventListener('drop', onDrop);
    return () => {
      window.removeEventListener('dragenter', onEnter);
      window.removeEventListener('dragleave', onLeave);
      window.removeEventListener('dragover', onOver);
      window.removeEventListener('drop', onDrop);
    };
  }, []);
  if (!over) return null;
  return (
    <div className="pointer-events-none fixed inset-4 z-40 flex flex-col items-center justify-center gap-3 rounded-xl border-2 border-dashed border-accent bg-canvas/90">
      <FileArchive aria-hidden="true" size={36} className="text-accent" />
      <p className="text-xl font-semibold">Drop the zip to make a project of it</p>
    </div>
  );
}
