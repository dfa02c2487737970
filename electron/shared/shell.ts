/**
 * What the Electron preload adds to the page as `window.vessel`, and nothing more: the few things a browser cannot do.
 * In browser mode `window.vessel` is undefined and the renderer uses the web's own means.
 */
export type VesselShell = {
  readonly shell: 'electron';
  readonly platform: 'linux' | 'darwin' | 'win32';
  /** The system's picker. Resolves to an absolute path, or null when the person cancelled. */
  pickFile(kind: 'zip' | 'folder'): Promise<string | null>;
  /** The system's save dialog for a zip; null when the person cancelled. */
  pickSaveFile(suggestedName: string): Promise<string | null>;
  /** A system notification. Resolves once it was handed to the system; never rejects. */
  notify(title: string, body: string): Promise<void>;
};

/** The session partition of one environment's webview: its storage is apart from the app's and from every other environment's. */
export function environmentPartition(projectId: string): string {
  return `persist:environment-${projectId}`;
}
