import type { Client } from '#shared/contract.ts';
import { formatBytes } from '../../lib/format.ts';
import { toastError, useStore } from '../../state/store.ts';

/** Gives the person a revision as a zip: a download in browsers, a file of their choice in Electron. */
export async function exportRevision(client: Client, projectId: string, rev: number): Promise<void> {
  const fileName = `${projectId}-rev${rev}.zip`;
  if (window.vessel === undefined) {
    const link = document.createElement('a');
    link.href = `/api/projects/${encodeURIComponent(projectId)}/revisions/${rev}.zip`;
    link.download = fileName;
    link.click();
    return;
  }
  try {
    const path = await window.vessel.pickSaveFile(fileName);
    if (path === null) return;
    const written = await client.call('history.export', { projectId, rev, path });
    useStore.getState().toast('ok', `Revision ${written.rev} exported`, `${written.path} · ${formatBytes(written.bytes)}`);
  } catch (error) {
    toastError(error);
  }
}
