import { type FormEvent, type ReactNode, useId, useState } from 'react';
import type { Project } from '#shared/project.ts';
import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { Field, TextInput } from '../../design/field.tsx';
import { attempt } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { useStore } from '../../state/store.ts';
import { BehaviourFields, validSettings } from './behaviour-fields.tsx';

export function ProjectSettingsDialog({ project, onClose }: { readonly project: Project; readonly onClose: () => void }): ReactNode {
  const client = useClient();
  const form = useId();
  const [name, setName] = useState(project.name);
  const [settings, setSettings] = useState(project.settings);
  const [busy, setBusy] = useState(false);
  const alive = project.environment !== null && project.environment.state === 'running';
  const save = async (): Promise<void> => {
    setBusy(true);
    const done = await attempt(async () => {
      const updated = await client.call('projects.update', { projectId: project.id, name: name.trim(), settings });
      useStore.getState().apply({ kind: 'project', project: updated });
    });
    if (done) onClose();
    else setBusy(false);
  };
  const onSubmit = (event: FormEvent): void => { event.preventDefault(); void save(); };
  return (
    <Dialog
      title={`Settings of ${project.name}`} description={<code className="font-mono text-xs">{project.id}</code>} width="wide" onClose={onClose} testId="project-settings"
      footer={<><Button onClick={onClose}>Cancel</Button><Button type="submit" form={form} variant="primary" disabled={busy || name.trim() === '' || !validSettings(settings)} data-testid="save-project-settings">Save</Button></>}
    >
      <form id={form} onSubmit={onSubmit} className="flex flex-col gap-6">
        <Field label="Name" hint="The address and the id stay as they are.">{(ids) => <TextInput {...ids} data-autofocus="" required maxLength={80} value={name} onChange={(event) => setName(event.target.value)} data-testid="rename" />}</Field>
        {alive && settings.tier !== project.settings.tier && <p className="rounded-md bg-warn-soft px-3 py-2 text-sm text-warn">The new machine size applies next time you open it.</p>}
        <BehaviourFields value={settings} onValue={setSettings} />
      </form>
    </Dialog>
  );
}
