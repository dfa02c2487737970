import { Download, FileX2, Trash2, Undo2 } from 'lucide-react';
import { type ReactNode, type RefObject, useEffect, useRef } from 'react';
import type { Project } from '#shared/project.ts';
import type { FromEditor } from '../../editor/protocol.ts';
import { Button, IconButton } from '../../design/button.tsx';
import { ErrorPanel } from '../../design/error-panel.tsx';
import { formatBytes } from '../../lib/format.ts';
import { ConflictBar } from './conflict-bar.tsx';
import { EditorFrame, type EditorHandle } from './editor-frame.tsx';
import { EditorTabs } from './editor-tabs.tsx';
import type { OpenFile, OpenFiles } from './use-open-files.ts';

type Props = {
  readonly project: Project; readonly rev: number | null; readonly tabs: OpenFiles; readonly changed: ReadonlySet<string>; readonly editable: boolean;
  readonly editor: RefObject<EditorHandle | null>; readonly reveal: { readonly path: string; readonly line: number; readonly column: number; readonly length: number } | null;
  readonly onMessage: (message: FromEditor) => void; readonly onOpen: (path: string) => void; readonly onRemove: (path: string) => void; readonly onDiscard: (path: string) => void; readonly empty: ReactNode;
  /** Files that another window changed at the same time. */ readonly conflicts: ReadonlySet<string>; readonly onDecide: (path: string, take: 'mine' | 'theirs' | 'both') => void;
};

/** The open files: tabs, what can be done with the one in front, and the editor or why it is not shown as text. */
export function FilePane({ project, rev, tabs, changed, editable, editor, reveal, onMessage, onOpen, onRemove, onDiscard, empty, conflicts, onDecide }: Props): ReactNode {
  const { active, files } = tabs;
  const text = active?.state === 'ready' ? active.text : null;
  const version = active?.state === 'ready' ? active.version : 0;
  const over = active?.state === 'ready' ? active.over : null;
  const path = active?.path ?? null;
  /** What the editor was given last of each file: coming back to a tab must not bring an older text. */
  const sent = useRef(new Map<string, number>());
  useEffect(() => {
    if (path === null || text === null) return;
    const replace = sent.current.get(path) !== version;
    sent.current.set(path, version);
    editor.current?.send({ type: 'show', path, text, version, readOnly: !editable, replace, over });
    // The text of a version is fixed; while it is typed in, the editor holds what is newer.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [editor, path, version, editable, text === null]);
  useEffect(() => {
    if (reveal === null || reveal.path !== path || text === null) return;
    editor.current?.send({ type: 'reveal', line: reveal.line, column: reveal.column, length: reveal.length });
    editor.current?.send({ type: 'focus' });
    // eslint-disable-next-line react-hooks/exhaustive-deps -- as above
  }, [editor, reveal, path, version]);
  const used = files.some((file) => file.state === 'ready' && file.text !== null);

  return (
    <section className="flex min-w-0 flex-1 flex-col bg-surface" aria-label="Editor">
      {files.length > 0 && (
        <div className="flex shrink-0 items-center border-b border-line bg-canvas">
          <EditorTabs files={files} active={path} changed={changed} onOpen={onOpen} onClose={(gone) => { tabs.close(gone); editor.current?.send({ type: 'forget', path: gone }); }} />
          {active !== null && (
            <div className="flex shrink-0 items-center gap-0.5 px-2">
              {changed.has(active.path) && editable && <IconButton label="Drop the changes to this file" size="small" onClick={() => onDiscard(active.path)} data-testid="discard-draft"><Undo2 size={15} /></IconButton>}
              {rev !== null && <a href={downloadAddress(project.id, rev, active.path)} download aria-label="Download this file" title="Download this file" className="inline-flex size-7 items-center justify-center rounded-md text-ink-soft hover:bg-sunken hover:text-ink"><Download size={15} /></a>}
              {editable && active.state === 'ready' && active.form !== 'removed' && <IconButton label="Delete this file" size="small" onClick={() => onRemove(active.path)}><Trash2 size={15} /></IconButton>}
            </div>
          )}
        </div>
      )}
      {path !== null && conflicts.has(path) && <ConflictBar onTake={(take) => onDecide(path, take)} />}
      <div className="relative min-h-0 flex-1">
        {used && <EditorFrame handle={editor} title={path === null ? 'Editor' : `Editor: ${path}`} hidden={text === null} onMessage={onMessage} />}
        {active === null ? empty : text === null && <div className="absolute inset-0 overflow-y-auto bg-surface"><Instead file={active} project={project} rev={rev} onRetry={() => tabs.reload(active.path)} onDiscard={() => onDiscard(active.path)} /></div>}
      </div>
    </section>
  );
}

/** What stands where no text can. */
function Instead({ file, project, rev, onRetry, onDiscard }: { readonly file: OpenFile; readonly project: Project; readonly rev: number | null; readonly onRetry: () => void; readonly onDiscard: () => void }): ReactNode {
  if (file.state === 'loading') return <p role="status" className="p-8 text-center text-sm text-ink-faint">Reading {file.path}…</p>;
  if (file.state === 'failed') return <div className="p-6"><ErrorPanel error={file.error} onRetry={onRetry} /></div>;
  const removed = file.form === 'removed';
  return (
    <div className="flex h-full flex-col items-center justify-center gap-2 px-8 text-center">
      <FileX2 aria-hidden="true" size={26} className="text-ink-faint" />
      <h2 className="text-lg font-semibold tracking-tight">{removed ? 'This file is deleted' : file.form === 'too-large' ? 'Too large to show here' : 'No text'}</h2>
      <p className="text-ink-soft">{removed ? 'It goes with the next revision; earlier ones keep it.' : `${file.path.slice(file.path.lastIndexOf('/') + 1)} has ${formatBytes(file.size)}${file.form === 'binary' ? ' and is binary, or not in UTF-8' : ''}.`}</p>
      {removed ? <Button className="mt-3" icon={<Undo2 size={14} />} onClick={onDiscard}>Bring it back</Button> : rev !== null && <a href={downloadAddress(project.id, rev, file.path)} download className="mt-3 inline-flex h-8 items-center gap-2 rounded-md border border-line-strong/70 bg-raised px-3 font-medium shadow-card hover:bg-sunken"><Download size={14} />Download</a>}
    </div>
  );
}

const downloadAddress = (projectId: string, rev: number, path: string): string => `/api/projects/${encodeURIComponent(projectId)}/revisions/${rev}/files/${path.split('/').map(encodeURIComponent).join('/')}`;
