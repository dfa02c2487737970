import type { MenuItemConstructorOptions } from 'electron';

/**
 * The application menu. No shortcut here may take a key that VS Code uses inside an environment: on Linux and Windows the
 * menu therefore holds editing roles and the window only, and Ctrl-W, Ctrl-R or Ctrl-N reach the editor.
 */
export function applicationMenu(platform: NodeJS.Platform, actions: { reload(): void; quit(): void }): MenuItemConstructorOptions[] {
  const view: MenuItemConstructorOptions = {
    label: 'View',
    submenu: [{ label: 'Reload Vessel', click: () => actions.reload() }, { type: 'separator' }, { role: 'resetZoom', accelerator: '' }, { role: 'zoomIn', accelerator: '' }, { role: 'zoomOut', accelerator: '' }, { type: 'separator' }, { role: 'togglefullscreen' }, { role: 'toggleDevTools', accelerator: 'CommandOrControl+Alt+Shift+I' }],
  };
  if (platform === 'darwin') {
    return [
      { label: 'Vessel', submenu: [{ role: 'about' }, { type: 'separator' }, { role: 'hide' }, { role: 'hideOthers' }, { role: 'unhide' }, { type: 'separator' }, { label: 'Quit Vessel', accelerator: 'Command+Q', click: () => actions.quit() }] },
      { role: 'editMenu' }, view, { label: 'Window', submenu: [{ role: 'minimize' }, { role: 'zoom' }] },
    ];
  }
  return [{ label: 'Vessel', submenu: [{ label: 'Quit Vessel', click: () => actions.quit() }] }, view];
}
