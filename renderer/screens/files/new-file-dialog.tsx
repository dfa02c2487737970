import { type FormEvent, type ReactNode, useState } from 'react';
import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { Field, TextInput } from '../../design/field.tsx';

/** Asks for the path of a new file; folders on the way are made. */
export function NewFileDialog({ taken, onCreate, onClose }: { readonly taken: (path: string) => boolean; readonly onCreate: (path: string) => void; readonly onClose: () => void }): ReactNode {
  const [path, setPath] = useState('');
  const parts = path.split('/');
  const error = path === '' ? null : taken(path) ? 'There is something of that name' : path.startsWith('/') || parts.some((part) => part === '' || part === '.' || part === '..') ? 'A path inside the project, such as src/notes.md' : null;
  const submit = (event: FormEvent): void => { event.preventDefault(); if (path !== '' && error === null) onCreate(path); };
  return (
    <Dialog title="New file" width="narrow" onClose={onClose} testId="new-file" footer={<><Button onClick={onClose}>Cancel</Button><Button variant="primary" disabled={path === '' || error !== null} onClick={() => onCreate(path)} data-testid="create-file">Create</Button></>}>
      <form onSubmit={submit}>
        <Field label="Path" hint="Folders that do not exist yet are made." error={error}>{(ids) => <TextInput {...ids} data-autofocus="" data-testid="new-file-path" placeholder="src/notes.md" value={path} onChange={(event) => setPath(event.target.value.trim())} />}</Field>
      </form>
    </Dialog>
  );
}
