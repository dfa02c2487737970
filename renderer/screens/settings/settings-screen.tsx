import { Monitor, Moon, SunMedium } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import type { Settings } from '#shared/contract.ts';
import { Button } from '../../design/button.tsx';
import { Choice, Field, NumberInput, Switch } from '../../design/field.tsx';
import { Card, CardHeader, Page } from '../../design/surface.tsx';
import { mergeDraft, sameSettings } from '../../lib/merge-draft.ts';
import { attempt } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { useStore } from '../../state/store.ts';
import { StorageCard } from './storage-card.tsx';
import { AboutCard } from './about-card.tsx';
import { AccountCard } from './account-card.tsx';
import { EncryptionCard } from './encryption-card.tsx';
import { BehaviourFields, validSettings } from './behaviour-fields.tsx';

const THEMES: readonly { readonly value: Settings['theme']; readonly title: string; readonly text: string; readonly icon: ReactNode }[] = [
  { value: 'system', title: 'System', text: 'As this computer is set', icon: <Monitor size={17} /> },
  { value: 'light', title: 'Light', text: 'Always light', icon: <SunMedium size={17} /> },
  { value: 'dark', title: 'Dark', text: 'Always dark', icon: <Moon size={17} /> },
];
const GIB = 1024 ** 3;

export function SettingsScreen(): ReactNode {
  const settings = useStore((state) => state.settings);
  if (settings === null) return <Page title="Settings" description="Loading…">{null}</Page>;
  return <Form settings={settings} />;
}

function Form({ settings }: { readonly settings: Settings }): ReactNode {
  const client = useClient();
  const [draft, setDraft] = useState(settings);
  const [base, setBase] = useState(settings);
  // Another door changed something: that shows, and what is typed here stays.
  if (base !== settings) {
    setBase(settings);
    setDraft(mergeDraft({ base, draft, incoming: settings }));
  }
  const changed = !sameSettings({ ...draft, theme: settings.theme }, settings);
  const { keepRevisions, keepDays } = draft.retention;
  const { maxArchiveBytes, maxEntries } = draft.limits;
  const valid = validSettings(draft.defaults) && [keepRevisions, keepDays, maxEntries].every((value) => Number.isInteger(value) && value >= 1) && maxArchiveBytes >= 1;
  const store = (part: Partial<Settings>, said?: string): Promise<boolean> => attempt(async () => {
    useStore.getState().apply({ kind: 'settings', settings: await client.call('settings.set', part) });
  }, said);

  return (
    <Page
      title="Settings" description="Themes apply at once; everything else when you save it."
      actions={<>
        {changed && <Button onClick={() => setDraft({ ...settings })}>Undo</Button>}
        <Button variant="primary" disabled={!changed || !valid} data-testid="save-settings" onClick={() => void store({ defaults: draft.defaults, keepReady: draft.keepReady, retention: draft.retention, limits: draft.limits }, 'Settings saved')}>Save</Button>
      </>}
    >
      <div className="flex flex-col gap-5" data-testid="settings">
        <Card>
          <CardHeader title="Appearance" />
          <div className="p-5"><Choice label="Theme" value={settings.theme} options={THEMES} onValue={(theme) => void store({ theme })} /></div>
        </Card>
        <Card>
          <CardHeader title="New projects" description="What a project starts with; each can be changed on its own." />
          <div className="p-5"><BehaviourFields value={draft.defaults} onValue={(defaults) => setDraft({ ...draft, defaults })} /></div>
        </Card>
        <Card>
          <CardHeader
            title="Keep the next environment ready" description="Keeps one machine booted so the next open is instant, and the editor of the last project loaded in this window. They cost about 150 MB and 70 MB of memory; the machine is not kept while memory is short."
            aside={<Switch label="Keep the next environment ready" checked={draft.keepReady} onChecked={(keepReady) => setDraft({ ...draft, keepReady })} />}
          />
        </Card>
        <Card>
          <CardHeader title="How long revisions are kept" description="A revision goes when it is beyond either limit; the current one never goes." />
          <div className="grid grid-cols-2 gap-5 p-5">
            <Field label="Newest revisions to keep">{(ids) => <NumberInput {...ids} min={1} max={10000} value={keepRevisions} onValue={(value) => setDraft({ ...draft, retention: { ...draft.retention, keepRevisions: value } })} data-testid="keep-revisions" />}</Field>
            <Field label="Days to keep them">{(ids) => <NumberInput {...ids} min={1} max={3650} value={keepDays} onValue={(value) => setDraft({ ...draft, retention: { ...draft.retention, keepDays: value } })} data-testid="keep-days" />}</Field>
          </div>
        </Card>
        <Card>
          <CardHeader title="Limits" description="A hostile or broken zip stops here, before it fills the disk." />
          <div className="grid grid-cols-2 gap-5 p-5">
            <Field label="Largest archive, in GiB unpacked">{(ids) => <NumberInput {...ids} min={0.1} step={0.1} value={Math.round((maxArchiveBytes / GIB) * 10) / 10} onValue={(value) => setDraft({ ...draft, limits: { ...draft.limits, maxArchiveBytes: Math.round(value * GIB) } })} />}</Field>
            <Field label="Most files in it">{(ids) => <NumberInput {...ids} min={1} value={maxEntries} onValue={(value) => setDraft({ ...draft, limits: { ...draft.limits, maxEntries: value } })} />}</Field>
          </div>
        </Card>
        <AccountCard />
        <EncryptionCard />
        <StorageCard />
        <AboutCard />
      </div>
    </Page>
  );
}
