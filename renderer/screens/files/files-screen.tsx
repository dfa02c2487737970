import { ArrowLeft, FilePlus2, Files, History, Play, Save, Search } from 'lucide-react';
import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { Drafts } from '#shared/draft-contract.ts';
import type { Project } from '#shared/project.ts';
import type { FromEditor } from '../../editor/protocol.ts';
import { Badge } from '../../design/badge.tsx';
import { Button, IconButton } from '../../design/button.tsx';
import { ErrorPanel } from '../../design/error-panel.tsx';
import { Select } from '../../design/field.tsx';
import { Tabs } from '../../design/tabs.tsx';
import { visibleRows } from '../../lib/file-tree.ts';
import { formatBytes, formatCount, formatDateTime } from '../../lib/format.ts';
import { projectStatus } from '../../lib/project-status.ts';
import { attempt, openProject } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { navigate, replaceRoute } from '../../state/navigate.ts';
import { useStore } from '../../state/store.ts';
import { useCall } from '../../state/use-call.ts';
import type { EditorHandle } from './editor-frame.tsx';
import { FilePane } from './file-pane.tsx';
import { FileTree } from './file-tree.tsx';
import { NewFileDialog } from './new-file-dialog.tsx';
import { ReviewDialog } from './review-dialog.tsx';
import { SearchPanel } from './search-panel.tsx';
import { useForeignChanges } from './use-foreign-changes.ts';
import { useDraftWriter } from './use-draft-writer.ts';
import { useFolders } from './use-folders.ts';
import { useOpenFiles } from './use-open-files.ts';

const NO_DRAFTS: Drafts['drafts'] = [];
type Place = { readonly line: number; readonly column: number; readonly length: number };

/** The files of a project without its environment: its last safe copy, or any revision; the current one can be edited while nothing runs. */
export function FilesScreen({ project, rev: asked, path: first }: { readonly project: Project; readonly rev: number | null; readonly path: string | null }): ReactNode {
  const client = useClient();
  const { id, head } = project;
  const rev = asked ?? head?.rev ?? null;
  const isCurrent = rev === head?.rev;
  const drafts = useStore((state) => state.drafts[id]);
  const changes = isCurrent ? drafts?.drafts ?? NO_DRAFTS : NO_DRAFTS;
  const { alive } = projectStatus(project);
  const opening = useStore((state) => (project.activeOperationId === null ? false : ['open', 'close', 'save'].includes(state.operations[project.activeOperationId]?.kind ?? '')));
  const editable = isCurrent && !alive && !opening && project.deletedAt === null;

  const tree = useFolders(id, rev);
  const rows = useMemo(() => visibleRows(tree.folders, tree.expanded, changes), [tree.folders, tree.expanded, changes]);
  const typed = useRef(new Set<string>());
  const writer = useDraftWriter(id);
  const tabs = useOpenFiles(id, rev, isCurrent, first, { keep: (path) => head?.reason === 'offline-edit' && typed.current.has(path), held: writer.held, read: writer.read });
  useForeignChanges(isCurrent ? drafts : undefined, rev, tabs, writer);
  const editor = useRef<EditorHandle | null>(null);
  const [side, setSide] = useState<'files' | 'search'>('files');
  const [dialog, setDialog] = useState<'new' | 'review' | null>(null);
  const [reveal, setReveal] = useState<(Place & { readonly path: string }) | null>(null);
  const changed = useMemo(() => new Set(changes.map((draft) => draft.path)), [changes]);
  const { active } = tabs;

  const open = useCallback((path: string, at: Place | null = null): void => {
    tabs.open(path);
    tree.uncover(path);
    setReveal(at === null ? null : { ...at, path });
    replaceRoute({ screen: 'files', projectId: id, rev: asked, path });
  }, [tabs, tree, id, asked]);
  const save = useCallback(async (): Promise<void> => {
    await writer.flush();
    const now = useStore.getState().drafts[id];
    if (now === undefined || now.drafts.length === 0) return;
    if (now.state === 'review') { setDialog('review'); return; }
    await attempt(() => client.call('drafts.save', { projectId: id }));
  }, [client, id, writer]);
  const onMessage = (message: FromEditor): void => {
    switch (message.type) {
      case 'ready': case 'cursor': return;
      case 'changed': {
        const file = tabs.files.find(({ path }) => path === message.path);
        if (!editable || file?.state !== 'ready') return;
        typed.current.add(message.path);
        writer.write(message.path, message.text, file.base, message.basis);
        return;
      }
      case 'command':
        if (message.command === 'save') void save();
        else if (message.command === 'search') setSide('search');
        else useStore.getState().setModal({ kind: 'palette' });
        return;
      default: message satisfies never;
    }
  };
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      if (!(event.ctrlKey || event.metaKey)) return;
      if (event.key === 's') { event.preventDefault(); void save(); }
      if (event.shiftKey && event.key.toLowerCase() === 'f') { event.preventDefault(); setSide('search'); }
    };
    window.addEventListener('keydown', onKeyDown);
    return () => window.removeEventListener('keydown', onKeyDown);
  }, [save]);

  const remove = (path: string): void => {
    if (active?.state !== 'ready') return;
    writer.write(path, null, active.base, active.version);
    void writer.flush().then(() => tabs.close(path));
  };
  const discard = (path: string): void => void attempt(async () => {
    await writer.flush();
    useStore.getState().apply({ kind: 'drafts', drafts: await client.call('drafts.discard', { projectId: id, paths: [path] }) });
    typed.current.delete(path);
    editor.current?.send({ type: 'forget', path });
    tabs.reload(path);
  });

  const decide = (path: string, take: 'mine' | 'theirs' | 'both'): void => void writer.decide(path, take).then((kept) => {
    if (take !== 'mine') {
      editor.current?.send({ type: 'forget', path });
      tabs.reload(path);
    }
    if (take === 'both' && kept !== null) open(kept);
  });

  return (
    <div className="flex h-full min-w-0 flex-col">
      <header className="flex h-16 shrink-0 items-center gap-3 border-b border-line bg-surface/60 px-5">
        <IconButton label="Back to the projects" onClick={() => navigate({ screen: 'projects', panel: 'none' })}><ArrowLeft size={17} /></IconButton>
        <div className="min-w-0">
          <h1 className="truncate text-lg leading-5 font-semibold tracking-tight">{project.name}</h1>
          <p className="truncate text-sm text-ink-soft" data-testid="files-state" role="status">{stateText(project, drafts, { writing: writer.writing, isCurrent, editable, alive, rev })}</p>
        </div>
        <div className="ml-auto flex shrink-0 items-center gap-2">
          {drafts?.state === 'review' && isCurrent && <Button size="small" variant="danger" onClick={() => setDialog('review')} data-testid="review">Review {formatCount(drafts.drafts.length, 'change')}</Button>}
          {changes.length > 0 && drafts?.state === 'pending' && <Button icon={<Save size={14} />} onClick={() => void save()} data-testid="save-drafts">Save now</Button>}
          <RevisionSelect project={project} rev={rev} onRev={(next) => navigate({ screen: 'files', projectId: id, rev: next === head?.rev ? null : next, path: active?.path ?? null })} />
          <IconButton label="History" onClick={() => navigate({ screen: 'projects', panel: 'history', projectId: id })}><History size={16} /></IconButton>
          <Button variant="primary" icon={<Play size={14} />} onClick={() => void writer.flush().then(() => openProject(client, project))} data-testid="open-environment">{alive ? 'Resume' : 'Open'}</Button>
        </div>
      </header>
      <div className="flex min-h-0 flex-1">
        <aside className="flex w-72 shrink-0 flex-col border-r border-line bg-canvas" aria-label="Files and search">
          <div className="flex items-center justify-between gap-2 px-3 pt-3 pb-1">
            <Tabs label="Side" value={side} onValue={setSide} tabs={[{ value: 'files', label: 'Files' }, { value: 'search', label: 'Search' }]} />
            {side === 'files' && editable && <IconButton label="New file" size="small" onClick={() => setDialog('new')}><FilePlus2 size={15} /></IconButton>}
          </div>
          {tree.error !== null && <div className="p-3"><ErrorPanel error={tree.error} /></div>}
          {side === 'files' ? <FileTree rows={rows} chosen={active?.path ?? null} onOpen={open} onToggle={tree.toggle} /> : rev !== null && <SearchPanel projectId={id} rev={rev} onOpen={open} />}
          {tree.totals !== null && <p className="tabular flex items-center gap-2 border-t border-line px-4 py-2 text-xs text-ink-faint"><Files aria-hidden="true" size={13} />{formatCount(tree.totals.files, 'file')}, {formatBytes(tree.totals.bytes)} in revision {rev}</p>}
        </aside>
        <FilePane
          project={project} rev={rev} tabs={tabs} changed={changed} editable={editable} editor={editor} reveal={reveal} onMessage={onMessage} onOpen={open} onRemove={remove} onDiscard={discard} conflicts={writer.conflicts} onDecide={decide}
          empty={<EmptyHint editable={editable} onSearch={() => setSide('search')} />}
        />
      </div>
      {dialog === 'new' && <NewFileDialog onClose={() => setDialog(null)} taken={(path) => rows.some((row) => row.path === path && row.change !== 'removed')} onCreate={(path) => {
        setDialog(null);
        writer.create(path, rev ?? 1);
        void writer.flush().then(() => open(path));
      }} />}
      {dialog === 'review' && <ReviewDialog projectId={id} onClose={() => setDialog(null)} onDone={() => { setDialog(null); typed.current.clear(); for (const file of tabs.files) tabs.reload(file.path); }} />}
    </div>
  );
}

type Facts = { readonly writing: boolean; readonly isCurrent: boolean; readonly editable: boolean; readonly alive: boolean; readonly rev: number | null };

function stateText(project: Project, drafts: Drafts | undefined, { writing, isCurrent, editable, alive, rev }: Facts): string {
  const { head } = project;
  if (head === null) return 'Nothing saved yet';
  if (!isCurrent) return `Revision ${rev ?? ''}, read-only: an earlier state`;
  if (alive) return 'Read-only: the environment runs, edit in VS Code';
  const count = drafts?.drafts.length ?? 0;
  if (drafts?.state === 'review') return `${formatCount(count, 'change')} made on revision ${drafts.baseRev ?? ''}; the project moved on since`;
  if (writing) return 'Keeping what you type…';
  if (count > 0) return `${formatCount(count, 'change')} kept on this computer, a revision follows`;
  return editable ? `All changes are in revision ${head.rev}` : `Revision ${head.rev}`;
}

function RevisionSelect({ project, rev, onRev }: { readonly project: Project; readonly rev: number | null; readonly onRev: (rev: number) => void }): ReactNode {
  const client = useClient();
  const { loaded } = useCall((signal) => client.call('history.list', { projectId: project.id }, { signal }), `${project.id}/${project.head?.rev ?? 0}`);
  if (rev === null) return null;
  const known = loaded.value?.revisions ?? (project.head === null ? [] : [project.head]);
  const options = known.map((item) => ({ value: String(item.rev), label: `Revision ${item.rev}${item.rev === project.head?.rev ? ' (current)' : ` · ${formatDateTime(item.createdAt).slice(5, 16)}`}` }));
  return <Select aria-label="Revision" data-testid="revision-select" className="w-52" value={String(rev)} options={options} onValue={(value) => onRev(Number(value))} />;
}

function EmptyHint({ editable, onSearch }: { readonly editable: boolean; readonly onSearch: () => void }): ReactNode {
  return (
    <div className="flex h-full flex-col items-center justify-center gap-2 px-8 text-center">
      <h2 className="text-lg font-semibold tracking-tight">Choose a file</h2>
      <p className="max-w-sm text-ink-soft">{editable ? 'You see the last safe copy. What you change here is kept at once and becomes a revision; nothing has to run for that.' : 'You see a saved copy. It can be read, searched and copied out.'}</p>
      <div className="mt-3 flex items-center gap-2"><Button icon={<Search size={14} />} onClick={onSearch}>Search</Button>{!editable && <Badge>Read-only</Badge>}</div>
    </div>
  );
}
