import { type FormEvent, type ReactNode, useId, useState } from 'react';
import type { TemplateId, Tier } from '#shared/project.ts';
import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { Choice, Field, TextInput } from '../../design/field.tsx';
import { defaultHost } from '../../lib/host-view.ts';
import { attempt, startProjectOperation } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { stillHere } from '../../state/navigate.ts';
import { useStore } from '../../state/store.ts';
import { HostField } from './host-field.tsx';
import { TEMPLATES, TIER_OPTIONS } from './templates.tsx';

const TEMPLATE_OPTIONS = TEMPLATES.map(({ icon: Icon, ...rest }) => ({ ...rest, icon: <Icon size={18} /> }));

export function CreateDialog({ onClose }: { readonly onClose: () => void }): ReactNode {
  const client = useClient();
  const form = useId();
  const defaultTier = useStore((state) => state.settings?.defaults.tier ?? 'medium');
  const [name, setName] = useState('');
  const [template, setTemplate] = useState<TemplateId>('node');
  const [tier, setTier] = useState<Tier>(defaultTier);
  const [hostId, setHostId] = useState(() => defaultHost(useStore.getState().hosts));
  const [busy, setBusy] = useState(false);

  const create = async (andOpen: boolean): Promise<void> => {
    setBusy(true);
    const here = stillHere();
    const done = await attempt(async () => {
      const project = await client.call('projects.create', { name: name.trim(), template, hostId, settings: { tier } });
      useStore.getState().apply({ kind: 'project', project });
      // Whoever left meanwhile stays where they are; the card shows the rest.
      const stays = here();
      onClose();
      if (andOpen) await startProjectOperation(client, 'environments.open', project.id, stays ? stillHere() : here);
    });
    if (!done) setBusy(false);
  };
  const onSubmit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    void create((event.nativeEvent as SubmitEvent).submitter?.dataset['open'] !== 'no');
  };
  const ready = name.trim() !== '' && !busy;

  return (
    <Dialog
      title="New project" width="wide" onClose={onClose} testId="create-dialog"
      footer={<>
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" form={form} disabled={!ready} data-open="no" data-testid="create-only">Create</Button>
        <Button type="submit" form={form} variant="primary" disabled={!ready} data-testid="create-open">Create &amp; open</Button>
      </>}
    >
      <form id={form} onSubmit={onSubmit} className="flex flex-col gap-5">
        {/* Enter in a form presses its first submit button: this hidden one makes that "create and open". */}
        <button type="submit" className="hidden" disabled={!ready} tabIndex={-1} aria-hidden="true" />
        <Field label="Name" hint="Its address is made from it, for example shop-api-k3f9.">
          {(ids) => <TextInput {...ids} data-autofocus="" required maxLength={80} placeholder="Shop API" value={name} onChange={(event) => setName(event.target.value)} data-testid="project-name" />}
        </Field>
        <Choice label="Start from" value={template} options={TEMPLATE_OPTIONS} onValue={setTemplate} columns={5} />
        <HostField value={hostId} onValue={setHostId} />
        <Choice label="Machine" value={tier} options={TIER_OPTIONS} onValue={setTier} />
      </form>
    </Dialog>
  );
}
