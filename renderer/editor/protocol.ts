/**
 * What the app and the editor's frame tell each other. Monaco writes style attributes and style elements, which the app's own
 * policy forbids; so it lives in a frame of the same origin whose policy allows styles and nothing else: no connection at all.
 * Both sides accept messages of their own origin from the other's window only.
 */
export type ToEditor =
  | { readonly type: 'theme'; readonly theme: 'light' | 'dark' }
  /**
   * Shows a file. Its text is taken when the editor does not hold the file yet, or when `replace` says so and the editor still holds what it was
   * given or a text of which `over` names the `textVersion` (null: whatever it holds). `version` counts the texts; scroll positions stay.
   */
  | { readonly type: 'show'; readonly path: string; readonly text: string; readonly version: number; readonly readOnly: boolean; readonly replace: boolean; readonly over: readonly string[] | null }
  | { readonly type: 'reveal'; readonly line: number; readonly column: number; readonly length: number }
  | { readonly type: 'forget'; readonly path: string }
  | { readonly type: 'focus' };

export type FromEditor =
  | { readonly type: 'ready' }
  /** `basis`: the version of the text that was taken last, which this was typed over. */
  | { readonly type: 'changed'; readonly path: string; readonly text: string; readonly basis: number }
  | { readonly type: 'cursor'; readonly line: number; readonly column: number; readonly language: string }
  | { readonly type: 'command'; readonly command: 'save' | 'search' | 'palette' };
