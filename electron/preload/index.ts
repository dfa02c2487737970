import { contextBridge, ipcRenderer } from 'electron';
import { SHELL_CHANNELS } from '#shared/shell-channels.ts';
import type { VesselShell } from '#shared/shell.ts';

/** A sandboxed preload has a reduced `process`; only its platform is needed. */
declare const process: { readonly platform: string };

function platform(): VesselShell['platform'] {
  if (process.platform === 'darwin' || process.platform === 'win32') return process.platform;
  return 'linux';
}

const shell: VesselShell = {
  shell: 'electron',
  platform: platform(),
  pickFile: (kind) => ipcRenderer.invoke(SHELL_CHANNELS.pickFile, kind) as Promise<string | null>,
  pickSaveFile: (suggestedName) => ipcRenderer.invoke(SHELL_CHANNELS.pickSaveFile, suggestedName) as Promise<string | null>,
  notify: (title, body) => ipcRenderer.invoke(SHELL_CHANNELS.notify, { title, body }) as Promise<void>,
};

contextBridge.exposeInMainWorld('vessel', shell);
