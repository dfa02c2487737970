import type { ArchiveEntry, RevisionDiff } from '#shared/archive-contract.ts';
import type { CallInput, CallName, CallOutput } from '#shared/contract.ts';

type Answers = { readonly [N in CallName]?: (input: CallInput<N>) => CallOutput<N> };

const entry = (path: string, kind: ArchiveEntry['kind'] = 'file'): ArchiveEntry => ({ path, kind, size: kind === 'file' ? 1_840 : 0, mode: 0o644, mtime: 1_790_000_000 });
const FOLDERS: Readonly<Record<string, readonly ArchiveEntry[]>> = {
  '': [entry('src', 'folder'), entry('test', 'folder'), entry('README.md'), entry('package.json')],
  src: [entry('src/routes', 'folder'), entry('src/server.ts')],
};
const SOURCE = 'import { createServer } from "node:http";\n\n// One answer for everybody.\ncreateServer((request, response) => {\n  response.end(`hello ${request.url}`);\n}).listen(5173);\n';
const DIFF: Pick<RevisionDiff, 'counts' | 'changes' | 'more'> = {
  counts: { added: 1, removed: 1, changed: 1, mode: 0 }, more: false,
  changes: [
    { path: 'docs/old.md', change: 'removed', kind: 'file', before: { size: 400, mode: 0o644, kind: 'file' }, after: null },
    { path: 'src/routes/price.ts', change: 'added', kind: 'file', before: null, after: { size: 900, mode: 0o644, kind: 'file' } },
    { path: 'src/server.ts', change: 'changed', kind: 'file', before: { size: 1_700, mode: 0o644, kind: 'file' }, after: { size: 1_840, mode: 0o644, kind: 'file' } },
  ],
};

/** A revision to look into, for the screens that do. */
export const archiveAnswers: Answers = {
  'archive.tree': ({ folder = '', rev = 12 }) => ({ rev, totals: { files: 140, folders: 21, links: 0, bytes: 4_860_000 }, entries: [...FOLDERS[folder] ?? []], more: false }),
  'archive.file': ({ path, rev = 12 }) => ({ ...entry(path), rev, content: { form: 'text', text: SOURCE } }),
  'history.diff': ({ from, to }) => ({ from, to, ...DIFF }),
  'history.diffFile': ({ path }) => ({ path, diff: { form: 'text', added: 2, removed: 1, hunks: [{ oldStart: 3, oldLines: 4, newStart: 3, newLines: 5, lines: [' // One answer for everybody.', ' createServer((request, response) => {', '-  response.end("hello");', '+  const name = request.url ?? "";', '+  response.end(`hello ${name}`);', ' }).listen(5173);'] }] } }),
  'drafts.list': ({ projectId }) => ({ projectId, baseRev: null, headRev: 12, state: 'clean', drafts: [] }),
  'drafts.get': () => null,
  'offline.status': () => ({ whole: true, bytes: 0, archives: 0, budgetBytes: 5_000_000_000, kept: [], available: [] }),
};
