import { Menu, Tray, nativeImage, type MenuItemConstructorOptions } from 'electron';
import { fileURLToPath } from 'node:url';
import type { RunningEnvironment } from './server-watch.ts';
import { unpacked } from './unpacked.ts';

const ICON = unpacked(fileURLToPath(new URL('../renderer/tray.png', import.meta.url)));
/** What a tray slot holds on every system; larger images are scaled badly by some. */
const ICON_PX = 22;

export type TrayActions = { show(path?: string): void; quit(): void };

/** The tray's menu as data, so that it can be tested without a tray. */
export function trayMenu(running: readonly RunningEnvironment[], actions: TrayActions): MenuItemConstructorOptions[] {
  const environments: MenuItemConstructorOptions[] = running.length === 0
    ? [{ label: 'No environment is running', enabled: false }]
    : [{ label: running.length === 1 ? '1 environment is running' : `${running.length} environments are running`, enabled: false },
      ...running.map(({ projectId, name }) => ({ label: name, click: () => actions.show(`/projects/${projectId}`) }))];
  return [{ label: 'Show Vessel', click: () => actions.show() }, { type: 'separator' }, ...environments, { type: 'separator' }, { label: 'Quit Vessel', click: () => actions.quit() }];
}

/** Makes the tray icon, or null where the system has no tray (some Linux desktops); nothing depends on it. */
export function createTray(actions: TrayActions, log: (line: string) => void): { update(running: readonly RunningEnvironment[]): void } | null {
  let tray: Tray;
  try {
    tray = new Tray(nativeImage.createFromPath(ICON).resize({ width: ICON_PX, height: ICON_PX }));
  } catch (error) {
    log(`no tray: ${String(error)}`);
    return null;
  }
  const update = (running: readonly RunningEnvironment[]): void => {
    tray.setToolTip(running.length === 0 ? 'Vessel' : `Vessel: ${running.length} running`);
    tray.setContextMenu(Menu.buildFromTemplate(trayMenu(running, actions)));
  };
  update([]);
  tray.on('click', () => actions.show());
  return { update };
}
