import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Menu, app, dialog, safeStorage, type BrowserWindow, type Session, type WebContents } from 'electron';
import { VesselError } from '#shared/errors.ts';
import { reportFailure } from './failures.ts';
import { guardContents } from './guard-contents.ts';
import { createMainWindow } from './main-window.ts';
import { applicationMenu } from './menu.ts';
import { guardSession } from './permissions.ts';
import { askBeforeQuit } from './quit-question.ts';
import { sealedSecretKey } from './secret-key.ts';
import { startServer, type RunningServer } from './server-process.ts';
import { watchEnvironments, type RunningEnvironment } from './server-watch.ts';
import { registerShellIpc } from './shell-ipc.ts';
import { createTray } from './tray.ts';

/** Before the server has said its address nothing is ours: `.invalid` never resolves (RFC 6761). */
const NO_ORIGIN = 'http://vessel.invalid/';

export type ShellOptions = {
  readonly home: string;
  readonly port: number | null;
  /** Written once the window has loaded: `npm start` waits for it to tell a started Electron from a broken one. */
  readonly readyFile: string | null;
  readonly log: (line: string) => void;
};

/** Ties the window, the tray and the server process together. All that Vessel does happens in the server. */
export class DesktopShell {
  readonly #options: ShellOptions;
  readonly #ended = new AbortController();
  #server: RunningServer | null = null;
  /** The address with a ticket, good for one load; afterwards the page's cookie is enough. */
  #entry: string | null = null;
  #window: BrowserWindow | null = null;
  #tray: ReturnType<typeof createTray> = null;
  #running: readonly RunningEnvironment[] = [];
  /** `asking` while the question is open, `leaving` once the answer was to quit. */
  #quit: 'no' | 'asking' | 'leaving' = 'no';

  constructor(options: ShellOptions) {
    this.#options = options;
  }

  /** Starts or finds the server and shows it. Throws SERVER_START_FAILED. */
  async start(): Promise<void> {
    const { log, home } = this.#options;
    registerShellIpc(() => this.#baseUrl());
    Menu.setApplicationMenu(Menu.buildFromTemplate(applicationMenu(process.platform, { reload: () => this.#window?.webContents.reload(), quit: () => app.quit() })));
    await this.#startServer();
    this.#tray = createTray({ show: (path) => this.show(path), quit: () => app.quit() }, log);
    watchEnvironments(home, {
      signal: this.#ended.signal, log,
      onChange: (running) => {
        this.#running = running;
        this.#tray?.update(running);
      },
    }).catch((error: unknown) => log(`the tray no longer follows: ${String(error)}`));
    await this.#open();
  }

  /** Brings the window to the front; `path` is a place in the app. */
  show(path?: string): void {
    const window = this.#window;
    if (window === null) {
      if (this.#server !== null) this.#open().catch((error: unknown) => reportFailure('The window could not be opened', error, this.#options.log));
      return;
    }
    if (window.isMinimized()) window.restore();
    window.show();
    window.focus();
    // The renderer routes by fragment: the page stays, only its place changes.
    if (path !== undefined) window.loadURL(`${this.#baseUrl()}/#${path}`).catch((error: unknown) => this.#options.log(`could not show ${path}: ${String(error)}`));
  }

  guard(contents: WebContents): void {
    guardContents(contents, () => this.#baseUrl(), this.#options.log);
  }

  guardSession(session: Session): void {
    guardSession(session, () => this.#baseUrl());
  }

  allClosed(): void {
    // The question was asked when the window wanted to close; without a window and a tray nothing is left to do.
    if (this.#quit === 'no' && this.#tray === null) app.quit();
  }

  /** Holds the end until the person has answered and the server has ended. */
  beforeQuit(event: { preventDefault(): void }): void {
    if (this.#quit === 'leaving') return;
    event.preventDefault();
    this.#askAndLeave().catch((error: unknown) => {
      reportFailure('Vessel could not end cleanly', error, this.#options.log);
      app.exit(1);
    });
  }

  async #askAndLeave(): Promise<void> {
    if (this.#quit !== 'no') return;
    this.#quit = 'asking';
    // A server that others use goes on watching over its environments: there is nothing to warn of.
    const answer = this.#server?.shared === true ? 'quit' : await askBeforeQuit(this.#window, this.#running, this.#tray !== null);
    if (answer !== 'quit') {
      this.#quit = 'no';
      if (answer === 'hide') this.#window?.hide();
      return;
    }
    this.#quit = 'leaving';
    this.#ended.abort();
    await this.#server?.stop();
    app.quit();
  }

  #baseUrl(): string {
    return this.#server?.baseUrl ?? NO_ORIGIN;
  }

  async #startServer(): Promise<void> {
    const { home, port, log } = this.#options;
    this.#server = await startServer({ home, port, log, secretKey: sealedSecretKey(join(home, 'electron', 'secret-key'), safeStorage, log) });
    this.#entry = this.#server.url;
    this.#server.onLost((reason) => {
      this.#offerRestart(reason).catch((error: unknown) => {
        reportFailure('Vessel could not start again', error, log);
        app.exit(1);
      });
    });
  }

  async #offerRestart(reason: string): Promise<void> {
    const { response } = await dialog.showMessageBox({
      type: 'error', title: 'Vessel', message: 'The Vessel server ended unexpectedly', buttons: ['Start it again', 'Quit'], defaultId: 0, cancelId: 1,
      detail: `${reason}\n\nRunning environments and saved revisions are not affected; Vessel finds them again.`,
    });
    if (response !== 0) {
      app.exit(1);
      return;
    }
    await this.#startServer();
    await this.#load();
  }

  async #open(): Promise<void> {
    const { home, log } = this.#options;
    const window = createMainWindow(join(home, 'electron', 'window.json'), log);
    this.#window = window;
    window.on('close', (event) => {
      // Closing the window is quitting: the question comes while the window is still there.
      if (this.#quit === 'leaving') return;
      event.preventDefault();
      app.quit();
    });
    window.on('closed', () => { this.#window = null; });
    window.webContents.on('render-process-gone', (_event, details) => {
      log(`the page ended: ${details.reason}`);
      if (details.reason !== 'clean-exit') this.#load().catch((error: unknown) => reportFailure('The page could not be shown again', error, log));
    });
    await this.#load();
    if (this.#options.readyFile !== null) writeFileSync(this.#options.readyFile, '');
  }

  async #load(): Promise<void> {
    if (this.#window === null) throw new VesselError('INTERNAL', 'There is no window to load');
    const url = this.#entry ?? this.#baseUrl();
    this.#entry = null;
    await this.#window.loadURL(url);
  }
}
