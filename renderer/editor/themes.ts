import { editor } from 'monaco-editor/editor';

/** The design's own surfaces, so that the frame has no edge; the colours of words are VS Code's. Values of tokens.css: Monaco takes no variables. */
export function defineThemes(): void {
  editor.defineTheme('vessel-light', {
    base: 'vs', inherit: true, rules: [],
    colors: {
      'editor.background': '#ffffff', 'editor.foreground': '#12181c', 'editorLineNumber.foreground': '#8a949c', 'editorLineNumber.activeForeground': '#12181c', 'editor.lineHighlightBackground': '#f5f6f7', 'editor.lineHighlightBorder': '#f5f6f700',
      'editor.selectionBackground': '#0a6c6638', 'editor.inactiveSelectionBackground': '#0a6c6622', 'editorCursor.foreground': '#0a6c66', 'editorWidget.background': '#ffffff', 'editorWidget.border': '#dee2e6', 'focusBorder': '#0a6c66', 'editorIndentGuide.background1': '#eceff1', 'scrollbarSlider.background': '#b9c1c866',
    },
  });
  editor.defineTheme('vessel-dark', {
    base: 'vs-dark', inherit: true, rules: [],
    colors: {
      'editor.background': '#14181b', 'editor.foreground': '#e9edf0', 'editorLineNumber.foreground': '#6d7881', 'editorLineNumber.activeForeground': '#e9edf0', 'editor.lineHighlightBackground': '#1a1f23', 'editor.lineHighlightBorder': '#1a1f2300',
      'editor.selectionBackground': '#45c9bb3d', 'editor.inactiveSelectionBackground': '#45c9bb22', 'editorCursor.foreground': '#45c9bb', 'editorWidget.background': '#1a1f23', 'editorWidget.border': '#242b30', 'focusBorder': '#45c9bb', 'editorIndentGuide.background1': '#242b30', 'scrollbarSlider.background': '#3d474f66',
    },
  });
}
