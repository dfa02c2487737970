/** Monaco's worker (links, word completion, diffs) as a file of our own origin: a blob worker would need a wider policy. */
import 'monaco-editor/editor/editor.worker';
