import '../design/tokens.css';
import './editor.css';
import { editor, KeyCode, KeyMod, Uri } from 'monaco-editor/editor';
import 'monaco-editor/languages/definitions/register.all';
import 'monaco-editor/features/register.all';
import { textVersion } from '#shared/text-version.ts';
import type { FromEditor, ToEditor } from './protocol.ts';
import { languageOf } from './languages.ts';
import { defineThemes } from './themes.ts';

// Monaco asks here for its worker; it is a file of our own origin like everything else.
Object.assign(globalThis, { MonacoEnvironment: { getWorker: () => new Worker(new URL('./editor-worker.ts', import.meta.url), { type: 'module' }) } });

const tell = (message: FromEditor): void => { window.parent.postMessage(message, window.location.origin); };
const root = document.getElementById('editor');
if (root === null) throw new Error('The page has no #editor');

defineThemes();
const view = editor.create(root, {
  model: null, automaticLayout: true, theme: 'vessel-light', fontFamily: "'JetBrains Mono', 'Cascadia Code', ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace", fontLigatures: false, fontSize: 13, lineHeight: 20,
  minimap: { enabled: false }, overviewRulerBorder: false, hideCursorInOverviewRuler: true, scrollbar: { horizontalScrollbarSize: 10, verticalScrollbarSize: 10 }, scrollBeyondLastLine: false, smoothScrolling: false, renderLineHighlight: 'line', padding: { top: 10, bottom: 10 }, stickyScroll: { enabled: false },
  // What a language server would answer; here nobody does. VS Code in the environment has all of it.
  unusualLineTerminators: 'off', quickSuggestions: false, codeLens: false, links: false, wordBasedSuggestions: 'currentDocument', fixedOverflowWidgets: true, accessibilitySupport: 'auto', readOnlyMessage: { value: 'This copy is read-only' },
});
/** What stands in a file is given back, also what nobody sees. */
const KEEP_BOM = true;
const states = new Map<string, editor.ICodeEditorViewState | null>();
/** What each file was filled with last: its number, and its `textVersion`. */
const fills = new Map<string, { readonly version: number; readonly text: string }>();
let shown: string | null = null;
/** True while a text comes from the app: that is no change to be told back. */
let filling = false;

const uriOf = (path: string): Uri => Uri.from({ scheme: 'file', path: `/${path}` });

const textIn = (model: editor.ITextModel): string => model.getValue(editor.EndOfLinePreference.TextDefined, KEEP_BOM);

function show({ path, text, version, readOnly, replace, over }: Extract<ToEditor, { type: 'show' }>): void {
  filling = true;
  try {
    let model = editor.getModel(uriOf(path));
    if (model === null) {
      const made = editor.createModel(text, languageOf(path), uriOf(path));
      made.onDidChangeContent(() => { if (!filling) tell({ type: 'changed', path, text: textIn(made), basis: fills.get(path)?.version ?? 0 }); });
      fills.set(path, { version, text: textVersion(text) });
      model = made;
    } else if (replace) {
      const before = textIn(model);
      // What was typed since the app asked is not overwritten: it is told, and the app finds out that it is over an older text.
      const held = textVersion(before);
      if (before === text || over === null || held === fills.get(path)?.text || over.includes(held)) {
        const place = shown === path ? view.saveViewState() : null;
        if (before !== text) model.setValue(text);
        if (place !== null) view.restoreViewState(place);
        fills.set(path, { version, text: textVersion(text) });
      }
    }
    if (shown !== path) {
      if (shown !== null) states.set(shown, view.saveViewState());
      view.setModel(model);
      view.restoreViewState(states.get(path) ?? null);
      shown = path;
    }
    view.updateOptions({ readOnly, ariaLabel: path });
    tellCursor();
  } finally {
    filling = false;
  }
}

function tellCursor(): void {
  const position = view.getPosition();
  if (position !== null) tell({ type: 'cursor', line: position.lineNumber, column: position.column, language: view.getModel()?.getLanguageId() ?? 'plaintext' });
}

function forget(path: string): void {
  states.delete(path);
  fills.delete(path);
  if (shown === path) { view.setModel(null); shown = null; }
  editor.getModel(uriOf(path))?.dispose();
}

function reveal({ line, column, length }: Extract<ToEditor, { type: 'reveal' }>): void {
  view.setSelection({ startLineNumber: line, startColumn: column, endLineNumber: line, endColumn: column + length });
  view.revealLineInCenter(line);
}

function setTheme(theme: 'light' | 'dark'): void {
  document.documentElement.dataset['theme'] = theme;
  editor.setTheme(`vessel-${theme}`);
}

window.addEventListener('message', (event: MessageEvent<ToEditor>) => {
  if (event.origin !== window.location.origin || event.source !== window.parent) return;
  const { data } = event;
  switch (data.type) {
    case 'theme': setTheme(data.theme); return;
    case 'show': show(data); return;
    case 'reveal': reveal(data); return;
    case 'forget': forget(data.path); return;
    case 'focus': view.focus(); return;
    default: data satisfies never;
  }
});
view.onDidChangeCursorPosition(tellCursor);
view.addCommand(KeyMod.CtrlCmd | KeyCode.KeyS, () => tell({ type: 'command', command: 'save' }));
view.addCommand(KeyMod.CtrlCmd | KeyMod.Shift | KeyCode.KeyF, () => tell({ type: 'command', command: 'search' }));
view.addCommand(KeyMod.CtrlCmd | KeyCode.KeyK, () => tell({ type: 'command', command: 'palette' }));
tell({ type: 'ready' });
