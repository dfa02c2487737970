import type { ReactNode } from 'react';
import { Field, Select } from '../../design/field.tsx';
import { choiceText, runningOn, sortedHosts } from '../../lib/host-view.ts';
import { useStore } from '../../state/store.ts';

/** Where a project is to run; not asked where there is no choice. */
export function HostField({ value, onValue }: { readonly value: string; readonly onValue: (hostId: string) => void }): ReactNode {
  const hosts = useStore((state) => state.hosts);
  const projects = useStore((state) => state.projects);
  const all = sortedHosts(hosts);
  const chosen = hosts[value];
  if (all.length < 2) return null;
  return (
    <Field label="Runs on" hint={chosen === undefined ? 'This host was removed.' : choiceText(chosen, runningOn(value, projects))}>
      {(ids) => <Select {...ids} className="h-9 w-full" value={value} onValue={onValue} options={all.map((host) => ({ value: host.id, label: host.ssh === undefined ? host.name : `${host.name} (${host.ssh.target})` }))} data-testid="choose-host" />}
    </Field>
  );
}
