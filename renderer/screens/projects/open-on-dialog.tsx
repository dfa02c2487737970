import { HardDrive, Server } from 'lucide-react';
import { type FormEvent, type ReactNode, useId, useState } from 'react';
import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { Choice } from '../../design/field.tsx';
import { choiceText, runningOn, sortedHosts } from '../../lib/host-view.ts';
import { attempt, openProjectOn } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { useStore } from '../../state/store.ts';

/** Chooses another host for a stopped project: to open it there now, or to have it there the next time. */
export function OpenOnDialog({ projectId, onClose }: { readonly projectId: string; readonly onClose: () => void }): ReactNode {
  const client = useClient();
  const form = useId();
  const hosts = useStore((state) => state.hosts);
  const projects = useStore((state) => state.projects);
  const project = projects[projectId];
  const others = sortedHosts(hosts).filter((host) => host.id !== project?.hostId);
  const [hostId, setHostId] = useState(() => (others.find((host) => host.status === 'ready') ?? others[0])?.id ?? 'local');
  const [busy, setBusy] = useState(false);
  if (project === undefined) return null;
  const here = hosts[project.hostId]?.name ?? project.hostId;
  const move = async (): Promise<void> => {
    setBusy(true);
    const done = await attempt(async () => useStore.getState().apply({ kind: 'project', project: await client.call('projects.move', { projectId, hostId }) }), `${project.name} moved to ${hosts[hostId]?.name ?? hostId}`);
    if (done) onClose();
    else setBusy(false);
  };
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault();
    onClose();
    void openProjectOn(client, projectId, hostId);
  };
  return (
    <Dialog
      title={`Open ${project.name} on…`} description={`It is on ${here} now. Its last verified revision travels with it.`} onClose={onClose} testId="open-on-dialog"
      footer={<>
        <Button onClick={onClose}>Cancel</Button>
        <Button disabled={busy} onClick={() => void move()} data-testid="move-only">Only move</Button>
        <Button type="submit" form={form} variant="primary" disabled={busy} data-testid="open-there">Open there</Button>
      </>}
    >
      <form id={form} onSubmit={onSubmit}>
        {/* Enter opens, wherever the focus is in the choice. */}
        <button type="submit" className="hidden" tabIndex={-1} aria-hidden="true" />
        <Choice
          label="Host" columns={2} value={hostId} onValue={setHostId}
          options={others.map((host) => ({ value: host.id, title: host.name, text: choiceText(host, runningOn(host.id, projects)), icon: host.kind === 'local' ? <HardDrive size={18} /> : <Server size={18} /> }))}
        />
      </form>
    </Dialog>
  );
}
