import { FileArchive, Folder, FolderOpen } from 'lucide-react';
import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react';
import type { ErrorShape } from '#shared/errors.ts';
import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { ErrorPanel } from '../../design/error-panel.tsx';
import { Checkbox, Field, TextInput } from '../../design/field.tsx';
import { Progress } from '../../design/progress.tsx';
import { Tabs } from '../../design/tabs.tsx';
import { formatBytes, formatPercent } from '../../lib/format.ts';
import { defaultHost } from '../../lib/host-view.ts';
import { useClient } from '../../state/client-context.ts';
import { navigate } from '../../state/navigate.ts';
import { toShape, useStore } from '../../state/store.ts';
import { HostField } from './host-field.tsx';
import { uploadZip } from './upload.ts';

type Source = 'zip' | 'folder';

/** Brings a zip (uploaded, dropped, or picked) or a folder of this computer in as a new project. */
export function ImportDialog({ file: dropped, onClose }: { readonly file: File | null; readonly onClose: () => void }): ReactNode {
  const client = useClient();
  const form = useId();
  const [source, setSource] = useState<Source>('zip');
  const [file, setFile] = useState<File | null>(dropped);
  const [path, setPath] = useState('');
  const [name, setName] = useState(dropped === null ? '' : nameFrom(dropped.name));
  const [hostId, setHostId] = useState(() => defaultHost(useStore.getState().hosts));
  const [keepsTopFolder, setKeepsTopFolder] = useState(false);
  const [sent, setSent] = useState<number | null>(null);
  const [error, setError] = useState<ErrorShape | null>(null);
  const upload = useRef<AbortController | null>(null);
  useEffect(() => () => upload.current?.abort(), []);

  const pick = async (kind: Source): Promise<void> => {
    const picked = await window.vessel?.pickFile(kind);
    if (picked === undefined || picked === null) return;
    setPath(picked);
    setFile(null);
    if (name === '') setName(nameFrom(picked));
  };
  const start = async (): Promise<void> => {
    setError(null);
    setSent(0);
    const topFolder = keepsTopFolder ? 'keep' : 'strip';
    const controller = new AbortController();
    upload.current = controller;
    try {
      const started = source === 'zip' && file !== null
        ? await uploadZip(file, { name: name.trim(), hostId, topFolder }, setSent, controller.signal)
        : await client.call('projects.import', { path: path.trim(), name: name.trim(), hostId, topFolder }, { signal: controller.signal });
      upload.current = null;
      if (controller.signal.aborted) return; // the dialog is gone, and the user with it
      onClose();
      navigate({ screen: 'console', operationId: started.operationId });
    } catch (caught) {
      const shape = toShape(caught);
      setSent(null);
      if (shape.code !== 'CANCELLED') setError(shape);
    }
  };
  const onSubmit = (event: FormEvent): void => { event.preventDefault(); void start(); };
  const chosen = source === 'zip' ? file !== null || path !== '' : path.trim() !== '';

  return (
    <Dialog
      title="Import" description="The content is checked before it is accepted, and unpacked only inside a microVM." onClose={onClose} testId="import-dialog"
      footer={<><Button onClick={onClose}>Cancel</Button><Button type="submit" form={form} variant="primary" disabled={!chosen || name.trim() === '' || sent !== null} data-testid="start-import">Import</Button></>}
    >
      <form id={form} onSubmit={onSubmit} className="flex flex-col gap-5">
        <Tabs label="What to import" value={source} onValue={(next) => { setSource(next); setPath(''); setError(null); }} tabs={[{ value: 'zip', label: 'Zip file' }, { value: 'folder', label: 'Folder' }]} />
        {source === 'zip' && window.vessel === undefined && <ZipPicker file={file} onFile={(next) => { setFile(next); if (name === '') setName(nameFrom(next.name)); }} />}
        {source === 'zip' && window.vessel !== undefined && (
          <PathField label="Zip file" path={file?.name ?? path} readOnly onPath={setPath} onPick={() => void pick('zip')} />
        )}
        {source === 'folder' && (
          <PathField label="Folder" path={path} onPath={(next) => { setPath(next); }} onPick={window.vessel === undefined ? undefined : () => void pick('folder')} onBlur={() => { if (name === '' && path !== '') setName(nameFrom(path)); }} />
        )}
        <Field label="Name">{(ids) => <TextInput {...ids} required maxLength={80} value={name} onChange={(event) => setName(event.target.value)} data-testid="import-name" />}</Field>
        {source === 'zip' && <Checkbox checked={keepsTopFolder} onChecked={setKeepsTopFolder} label="Keep the top folder" hint="When one folder holds everything in the zip, as in a download of a repository, its content becomes the workspace. Check this to keep the folder." testId="keep-top-folder" />}
        <HostField value={hostId} onValue={setHostId} />
        {sent !== null && source === 'zip' && file !== null && (
          <div role="status"><div className="mb-1.5 flex justify-between text-sm text-ink-soft"><span>Sending {file.name}</span><span className="tabular">{formatPercent(sent)}</span></div><Progress value={sent} label="Upload" /></div>
        )}
        {error !== null && <ErrorPanel error={error} />}
      </form>
    </Dialog>
  );
}

function ZipPicker({ file, onFile }: { readonly file: File | null; readonly onFile: (file: File) => void }): ReactNode {
  return (
    <label className="flex cursor-pointer flex-col items-center gap-2 rounded-lg border border-dashed border-line-strong bg-canvas px-6 py-8 text-center hover:border-accent has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent">
      <FileArchive aria-hidden="true" size={24} className="text-accent" />
      <span className="font-medium">{file === null ? 'Choose a zip, or drop one here' : file.name}</span>
      <span className="text-sm text-ink-soft">{file === null ? 'Any size up to the limit in the settings' : formatBytes(file.size)}</span>
      <input type="file" accept=".zip,application/zip" className="sr-only" data-testid="import-file" onChange={(event) => { const picked = event.target.files?.[0]; if (picked !== undefined) onFile(picked); }} />
    </label>
  );
}

function PathField({ label, path, onPath, onPick, onBlur, readOnly = false }: {
  readonly label: string; readonly path: string; readonly onPath: (path: string) => void; readonly onPick?: (() => void) | undefined; readonly onBlur?: () => void; readonly readOnly?: boolean;
}): ReactNode {
  return (
    <Field label={label} hint={onPick === undefined ? 'The full path on the computer where Vessel runs, or ~/… for your home folder. Ignored files (node_modules and the like) stay behind; the import says which.' : undefined}>
      {(ids) => (
        <div className="flex gap-2">
          <TextInput {...ids} className="font-mono" placeholder="/home/you/shop-api" value={path} readOnly={readOnly} onChange={(event) => onPath(event.target.value)} onBlur={onBlur} data-testid="import-path" />
          {onPick !== undefined && <Button className="h-9" icon={label === 'Folder' ? <Folder size={15} /> : <FolderOpen size={15} />} onClick={onPick}>Choose…</Button>}
        </div>
      )}
    </Field>
  );
}

/** `…/Shop API.zip` → `Shop API`. */
function nameFrom(path: string): string {
  return (path.split(/[\\/]/).findLast((part) => part !== '') ?? '').replace(/\.zip$/i, '').slice(0, 80);
}
