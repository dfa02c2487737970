// A stand-in for the `electron` module that records what main does and lets a test, through the process's IPC channel, play
// the person and the pages. It proves how main is wired, never that Electron itself agrees.
import { EventEmitter } from 'node:events';

const record = { windows: [], loads: [], external: [], dialogs: [], errorBoxes: [], notifications: [], tray: [], trayMenus: [], menus: [], paths: {}, shows: 0, hides: 0, sandbox: false };
/** Answers to dialogs, first in first out; afterwards the defaults. */
const answers = [];
const windows = [];

const plain = (value) => JSON.parse(JSON.stringify(value));
const preventable = (extra = {}) => {
  const event = { prevented: false, preventDefault() { event.prevented = true; }, ...extra };
  return event;
};

class Session {
  setPermissionRequestHandler(handler) { this.request = handler; }
  setPermissionCheckHandler(handler) { this.check = handler; }
  setDevicePermissionHandler(handler) { this.device = handler; }
}

class WebContents extends EventEmitter {
  constructor(type) {
    super();
    this.type = type;
    this.url = '';
    this.session = new Session();
    app.emit('session-created', this.session);
    app.emit('web-contents-created', {}, this);
  }

  getType() { return this.type; }
  getURL() { return this.url; }
  setWindowOpenHandler(handler) { this.openHandler = handler; }
  reload() { record.loads.push('reload'); }
}

class App extends EventEmitter {
  setPath(name, path) { record.paths[name] = path; }
  setName() {}
  enableSandbox() { record.sandbox = true; }
  requestSingleInstanceLock() { return process.env.STUB_SECOND_INSTANCE !== '1'; }
  whenReady() { return Promise.resolve(); }

  quit() {
    const event = preventable();
    this.emit('before-quit', event);
    if (event.prevented) return;
    for (const window of [...windows]) if (!window.close()) return;
    this.exit(0);
  }

  exit(code) {
    process.send?.({ event: 'exit', code });
    setImmediate(() => process.exit(code));
  }
}
export const app = new App();

export class BrowserWindow extends EventEmitter {
  constructor(options) {
    super();
    record.windows.push(plain(options));
    this.webContents = new WebContents('window');
    windows.push(this);
  }

  loadURL(url) {
    record.loads.push(url);
    this.webContents.url = url;
    setImmediate(() => this.emit('ready-to-show'));
    return Promise.resolve();
  }

  close() {
    const event = preventable();
    this.emit('close', event);
    if (event.prevented) return false;
    windows.splice(windows.indexOf(this), 1);
    this.emit('closed');
    if (windows.length === 0) app.emit('window-all-closed');
    return true;
  }

  show() { record.shows += 1; }
  hide() { record.hides += 1; }
  focus() {}
  restore() {}
  maximize() {}
  isMinimized() { return false; }
  isMaximized() { return false; }
  getNormalBounds() { return { x: 10, y: 20, width: 1000, height: 700 }; }
  static fromWebContents(contents) { return windows.find((window) => window.webContents === contents) ?? null; }
}

export const Menu = {
  buildFromTemplate: (template) => template,
  setApplicationMenu: (menu) => record.menus.push(plain(menu)),
};
export class Tray extends EventEmitter {
  constructor() {
    super();
    if (process.env.STUB_NO_TRAY === '1') throw new Error('no tray here');
    record.tray.push('made');
  }

  setToolTip(text) { record.tray.push(text); }
  setContextMenu(menu) { record.trayMenus.push(plain(menu)); }
}
export const nativeImage = { createFromPath: () => ({ resize: () => ({}) }) };
export const nativeTheme = { shouldUseDarkColors: true };
export const screen = { getAllDisplays: () => [{ workArea: { x: 0, y: 0, width: 1920, height: 1040 } }] };
export const shell = { openExternal: (url) => { record.external.push(url); return Promise.resolve(); } };
export const dialog = {
  showErrorBox: (title, text) => record.errorBoxes.push({ title, text }),
  showMessageBox: (...args) => { record.dialogs.push(plain(args.at(-1))); return Promise.resolve(answers.shift() ?? { response: 0 }); },
  showOpenDialog: (_window, options) => { record.dialogs.push(plain(options)); return Promise.resolve(answers.shift() ?? { canceled: true, filePaths: [] }); },
  showSaveDialog: (_window, options) => { record.dialogs.push(plain(options)); return Promise.resolve(answers.shift() ?? { canceled: true, filePath: '' }); },
};
/** A keychain that turns bytes around: enough to see that what lies on disk went through it. `STUB_KEYCHAIN` is `none`, `basic_text`, or `other` (a new one). */
const keychain = process.env.STUB_KEYCHAIN ?? 'good';
export const safeStorage = {
  isEncryptionAvailable: () => keychain !== 'none',
  getSelectedStorageBackend: () => keychain === 'basic_text' ? 'basic_text' : 'gnome_libsecret',
  encryptString: (text) => Buffer.from(`${keychain}:${[...text].reverse().join('')}`),
  decryptString: (sealed) => {
    const text = sealed.toString();
    if (!text.startsWith(`${keychain}:`)) throw new Error('Error while decrypting the ciphertext provided to safeStorage.decryptString.');
    return [...text.slice(keychain.length + 1)].reverse().join('');
  },
};
const handlers = new Map();
export const ipcMain = { handle: (channel, handler) => handlers.set(channel, handler) };
export class Notification {
  constructor(options) { this.options = options; }
  static isSupported() { return true; }
  show() { record.notifications.push(this.options); }
}

/** What a test may do; every command answers with a plain value. */
const commands = {
  record: () => record,
  channels: () => [...handlers.keys()],
  answer: ({ value }) => { answers.push(value); },
  invoke: ({ channel, frameUrl, inFrame = false, args }) => handlers.get(channel)({ sender: windows[0]?.webContents, senderFrame: frameUrl === null ? null : { url: frameUrl, parent: inFrame ? {} : null } }, ...args),
  attachWebview: ({ params, webPreferences, from = 'window' }) => {
    const contents = from === 'window' ? windows[0].webContents : new WebContents('webview');
    const event = preventable();
    contents.emit('will-attach-webview', event, webPreferences, params);
    return { prevented: event.prevented, webPreferences };
  },
  navigate: ({ url, current, type = 'window', redirect = false }) => {
    const contents = type === 'window' ? windows[0].webContents : new WebContents('webview');
    if (current !== undefined) contents.url = current;
    const event = preventable({ url, isMainFrame: true });
    contents.emit(redirect ? 'will-redirect' : 'will-navigate', event);
    return event.prevented;
  },
  windowOpen: ({ url }) => windows[0].webContents.openHandler({ url }),
  permission: ({ permission, url }) => {
    const { session } = windows[0].webContents;
    let granted;
    session.request(null, permission, (value) => { granted = value; }, { requestingUrl: url });
    return { granted, checked: session.check(null, permission, url), device: session.device({}) };
  },
  gone: ({ reason }) => { windows[0].webContents.emit('render-process-gone', {}, { reason }); },
  emit: ({ event }) => { app.emit(event); },
  close: () => windows[0].close(),
  quit: () => { app.quit(); },
};

// Only the process that a test started for this listens: a test runner's workers have a channel of their own.
if (process.env.ELECTRON_STUB_CONTROL === '1') process.on('message', ({ id, command, input }) => {
  Promise.resolve().then(() => commands[command](input ?? {})).then(
    (value) => process.send({ id, value: value === undefined ? null : plain(value) }),
    (error) => process.send({ id, error: { message: error.message, code: error.code ?? null } }),
  );
});
