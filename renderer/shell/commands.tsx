import { Activity, Boxes, CircleHelp, FilePlus2, Files, History, LogOut, Moon, Play, PlugZap, Plus, Save, Server, Settings, Stethoscope, SunMedium, Trash2 } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Client, Host } from '#shared/contract.ts';
import type { Project } from '#shared/project.ts';
import { hostOf, hostStanding } from '../lib/host-view.ts';
import { projectStatusOn } from '../lib/project-status.ts';
import { attempt, openProject, saveNow, startProjectOperation } from '../state/actions.ts';
import { navigate } from '../state/navigate.ts';
import { useStore } from '../state/store.ts';

export type Command = { readonly id: string; readonly group: string; readonly label: string; readonly hint: string; readonly icon: ReactNode; readonly run: () => void };

/** Everything the palette offers: what can be done to each project in its present state, then the places. */
export function allCommands(client: Client, projects: readonly Project[], hosts: readonly Host[]): readonly Command[] {
  return [...projects.flatMap((project) => projectCommands(client, project, hosts)), ...placeCommands(client), ...hosts.flatMap(hostCommands)];
}

/** Each host by its name: its page, its line, its doctor. */
function hostCommands(host: Host): readonly Command[] {
  const { setModal } = useStore.getState();
  const name = host.kind === 'local' ? 'this computer' : host.name;
  const hint = host.ssh?.target ?? host.facts?.hostname ?? '';
  const go = (): void => navigate({ screen: 'host', hostId: host.id });
  const command = (id: string, label: string, icon: ReactNode, run: () => void): Command => ({ id: `${id}:${host.id}`, group: 'Hosts', label, hint, icon, run });
  return [
    command('host', `Host: ${name}`, <Server size={15} />, go),
    command('doctor', `Doctor: check ${name}`, <Stethoscope size={15} />, go),
    ...(host.kind === 'ssh' && !hostStanding(host).answers ? [command('connect', `Connect to ${name}`, <PlugZap size={15} />, () => setModal({ kind: 'connect', hostId: host.id }))] : []),
    ...(host.kind === 'ssh' ? [command('remove-host', `Remove host ${name}`, <Trash2 size={15} />, () => setModal({ kind: 'remove-host', hostId: host.id }))] : []),
  ];
}

function projectCommands(client: Client, project: Project, hosts: readonly Host[]): readonly Command[] {
  const status = projectStatusOn(project, hosts.find(({ id }) => id === hostOf(project)));
  const command = (id: string, label: string, icon: ReactNode, run: () => void): Command => ({ id: `${id}:${project.id}`, group: 'Projects', label: `${label} ${project.name}`, hint: project.id, icon, run });
  const primary = { open: 'Open', resume: 'Resume', console: 'Show the console of', none: null }[status.primary];
  return [
    ...(primary === null ? [] : [command('open', primary, <Play size={15} />, () => void openProject(client, project))]),
    ...(status.running ? [
      command('close', 'Save & Exit', <LogOut size={15} />, () => void startProjectOperation(client, 'environments.close', project.id)),
      command('save', 'Save now', <Save size={15} />, () => void saveNow(client, project.id)),
    ] : []),
    ...(hosts.length > 1 && !status.alive && project.head !== null && project.activeOperationId === null ? [command('open-on', 'Open on another host:', <Server size={15} />, () => useStore.getState().setModal({ kind: 'open-on', projectId: project.id }))] : []),
    command('files', 'Files of', <Files size={15} />, () => navigate({ screen: 'files', projectId: project.id, rev: null, path: null })),
    command('history', 'History of', <History size={15} />, () => navigate({ screen: 'projects', panel: 'history', projectId: project.id })),
    command('settings', 'Settings of', <Settings size={15} />, () => navigate({ screen: 'projects', panel: 'settings', projectId: project.id })),
  ];
}

function placeCommands(client: Client): readonly Command[] {
  const command = (id: string, group: string, label: string, hint: string, icon: ReactNode, run: () => void): Command => ({ id, group, label, hint, icon, run });
  return [
    command('new', 'Do', 'New project', 'N', <Plus size={15} />, () => navigate({ screen: 'projects', panel: 'new' })),
    command('import', 'Do', 'Import a zip or a folder', 'I', <FilePlus2 size={15} />, () => navigate({ screen: 'projects', panel: 'import' })),
    command('add-host', 'Do', 'Add a host over SSH', '', <Server size={15} />, () => navigate({ screen: 'hosts', panel: 'add' })),
    command('theme-light', 'Do', 'Light theme', '', <SunMedium size={15} />, () => void attempt(() => client.call('settings.set', { theme: 'light' }))),
    command('theme-dark', 'Do', 'Dark theme', '', <Moon size={15} />, () => void attempt(() => client.call('settings.set', { theme: 'dark' }))),
    command('go-projects', 'Go', 'Projects', 'G P', <Boxes size={15} />, () => navigate({ screen: 'projects', panel: 'none' })),
    command('go-deleted', 'Go', 'Deleted projects', '', <Trash2 size={15} />, () => navigate({ screen: 'projects', panel: 'deleted' })),
    command('go-activity', 'Go', 'Activity', 'G A', <Activity size={15} />, () => navigate({ screen: 'activity', projectId: null })),
    command('go-hosts', 'Go', 'Hosts', 'G H', <Server size={15} />, () => navigate({ screen: 'hosts', panel: 'none' })),
    command('go-settings', 'Go', 'Settings', 'G S', <Settings size={15} />, () => navigate({ screen: 'settings' })),
    command('shortcuts', 'Go', 'Keyboard shortcuts', '?', <CircleHelp size={15} />, () => useStore.getState().setModal({ kind: 'shortcuts' })),
  ];
}
