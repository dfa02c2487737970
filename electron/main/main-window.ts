import { fileURLToPath } from 'node:url';
import { BrowserWindow, nativeTheme, screen } from 'electron';
import { readWindowState, writeWindowState } from './window-state.ts';

const PRELOAD = fileURLToPath(new URL('../preload/index.cjs', import.meta.url));
/** Shown until the page paints; the page's own background colours. */
const BACKGROUND = { light: '#ffffff', dark: '#0b0d10' } as const;
/** The app's own storage, apart from every environment's. */
export const APP_PARTITION = 'persist:vessel';

/** The one window. It shows only the app's origin; environments live in webviews inside it. */
export function createMainWindow(stateFile: string, log: (line: string) => void): BrowserWindow {
  const state = readWindowState(stateFile, screen.getAllDisplays().map((display) => display.workArea));
  const window = new BrowserWindow({
    title: 'Vessel',
    width: state.width,
    height: state.height,
    ...(state.x === undefined || state.y === undefined ? {} : { x: state.x, y: state.y }),
    minWidth: 720,
    minHeight: 480,
    show: false,
    backgroundColor: nativeTheme.shouldUseDarkColors ? BACKGROUND.dark : BACKGROUND.light,
    webPreferences: {
      preload: PRELOAD,
      partition: APP_PARTITION,
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      nodeIntegrationInSubFrames: false,
      nodeIntegrationInWorker: false,
      webSecurity: true,
      webviewTag: true,
      spellcheck: false,
      navigateOnDragDrop: false,
    },
  });
  if (state.maximized) window.maximize();
  window.once('ready-to-show', () => window.show());
  window.on('close', () => {
    try {
      writeWindowState(stateFile, { ...window.getNormalBounds(), maximized: window.isMaximized() });
    } catch (error) {
      log(`the window's place was not remembered: ${String(error)}`); // not worth keeping anybody from closing it
    }
  });
  return window;
}
