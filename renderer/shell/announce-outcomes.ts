import { SaveResultSchema } from '#shared/contract.ts';
import type { Operation } from '#shared/operation.ts';
import { formatBytes, formatCount } from '../lib/format.ts';
import { useStore } from '../state/store.ts';

/**
 * Says in a toast (and in Electron, when the window is not looked at, in a notification) how work ended that the
 * person does not have before their eyes: the console shows its own operation itself.
 */
export function announceOutcomes(): void {
  useStore.subscribe((state, before) => {
    if (state.operations === before.operations) return;
    for (const operation of Object.values(state.operations)) {
      if (operation.state === 'running' || before.operations[operation.id]?.state !== 'running') continue;
      const watched = state.route.screen === 'console' && state.route.operationId === operation.id;
      if (watched && !document.hidden) continue;
      const said = outcome(operation);
      if (said === null) continue;
      state.toast(said.tone, said.text, said.detail);
      if (document.hidden) void window.vessel?.notify(said.text, said.detail);
    }
  });
}

/** What to say of an ended operation; null when there is nothing worth a word. */
export function outcome(operation: Operation): { readonly tone: 'ok' | 'bad'; readonly text: string; readonly detail: string } | null {
  if (operation.state === 'cancelled' || operation.state === 'running') return null;
  if (operation.state === 'failed') return { tone: 'bad', text: `${operation.title}: ${operation.error?.message ?? 'failed'}`, detail: operation.error?.hint ?? '' };
  // The IDE appears; the files screen says where its changes are.
  if (operation.kind === 'open' || operation.kind === 'edit') return null;
  const saved = SaveResultSchema.safeParse(operation.result);
  if (!saved.success) return { tone: 'ok', text: `${operation.title}: done`, detail: '' };
  const { archive, changed, revision } = saved.data;
  // Every few minutes, while the person types: the control on the IDE says it without interrupting.
  if (operation.kind === 'save' && revision.reason === 'autosave') return null;
  if (!changed) return { tone: 'ok', text: `Nothing had changed: revision ${archive.rev} is still the safe copy`, detail: '' };
  return { tone: 'ok', text: `Revision ${archive.rev} saved and verified`, detail: `${formatCount(archive.files, 'file')} · ${formatBytes(archive.bytes)} · sha256 ${archive.sha256.slice(0, 12)}` };
}
