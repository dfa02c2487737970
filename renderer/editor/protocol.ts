/**
 * What the app and the editor's frame tell each other. Monaco writes style attributes and style elements, which the app's own
 * policy forbids; so it lives in a frame of the same origin whose policy allows styles and nothing else: no connection at all.
 * Both sides accept messages of their own origin from the other's window only.
 */
export type ToEditor =
  | { readonly type: 'theme'; readonly theme: 'light' | 'dark' }
  /** Shows a file. Its text is taken only when the editor does not hold it yet, or `replace` says so; undo and scroll positions stay. */
  | { readonly type: 'show'; readonly path: string; readonly text: string; readonly readOnly: boolean; readonly replace: boolean }
  | { readonly type: 'reveal'; readonly line: number; readonly column: number; readonly length: number }
  | { readonly type: 'forget'; readonly path: string }
  | { readonly type: 'focus' };

export type FromEditor =
  | { readonly type: 'ready' }
  | { readonly type: 'changed'; readonly path: string; readonly text: string }
  | { readonly type: 'cursor'; readonly line: number; readonly column: number; readonly language: string }
  | { readonly type: 'command'; readonly command: 'save' | 'search' | 'palette' };
