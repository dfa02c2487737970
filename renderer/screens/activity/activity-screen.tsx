import { type ReactNode, useState } from 'react';
import { Select } from '../../design/field.tsx';
import { Tabs } from '../../design/tabs.tsx';
import { Page } from '../../design/surface.tsx';
import { navigate } from '../../state/navigate.ts';
import { useStore } from '../../state/store.ts';
import { EventList } from './event-list.tsx';
import { OperationList } from './operation-list.tsx';

type Tab = 'operations' | 'events';

/** What has been done, by whom and how it ended; each operation's console can be opened again. */
export function ActivityScreen({ projectId }: { readonly projectId: string | null }): ReactNode {
  const [tab, setTab] = useState<Tab>('operations');
  const projects = useStore((state) => state.projects);
  const options = [
    { value: '', label: 'All projects' },
    ...Object.values(projects).toSorted((a, b) => a.name.localeCompare(b.name)).map((project) => ({ value: project.id, label: project.name })),
  ];
  return (
    <Page
      title="Activity" description="Everything Vessel did here, with its log."
      actions={<Select aria-label="Project" value={projectId ?? ''} options={options} className="max-w-64" data-testid="activity-project" onValue={(value) => navigate({ screen: 'activity', projectId: value === '' ? null : value })} />}
    >
      <div className="mb-4"><Tabs label="What to show" value={tab} onValue={setTab} tabs={[{ value: 'operations', label: 'Operations' }, { value: 'events', label: 'Events' }]} /></div>
      <div role="tabpanel" aria-label={tab === 'operations' ? 'Operations' : 'Events'}>
        {tab === 'operations' ? <OperationList projectId={projectId} /> : <EventList projectId={projectId} />}
      </div>
    </Page>
  );
}
