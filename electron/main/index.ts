import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { app } from 'electron';
import { vesselHome } from '#shared/paths.ts';
import { portArgument } from './arguments.ts';
import { DesktopShell } from './desktop-shell.ts';
import { reportFailure } from './failures.ts';

const log = (line: string): void => { process.stderr.write(`${line}\n`); };

// VESSEL_HOME moves all state, the window's included; the lock below is therefore one per home.
const home = resolve(vesselHome(process.env, homedir()));
app.setPath('userData', join(home, 'electron'));
app.setName('Vessel');
// Environments are told apart by host name, and every renderer runs in Chromium's sandbox, whatever its preferences say.
app.enableSandbox();

if (!app.requestSingleInstanceLock()) {
  app.quit();
} else {
  const shell = new DesktopShell({ home, port: portArgument(process.argv), readyFile: process.env['VESSEL_READY_FILE'] ?? null, log });
  process.on('uncaughtException', (error) => reportFailure('Vessel met a defect', error, log));
  process.on('unhandledRejection', (error) => reportFailure('Vessel met a defect', error, log));
  app.on('second-instance', () => shell.show());
  app.on('activate', () => shell.show());
  app.on('before-quit', (event) => shell.beforeQuit(event));
  app.on('window-all-closed', () => shell.allClosed());
  app.on('web-contents-created', (_event, contents) => shell.guard(contents));
  app.on('session-created', (session) => shell.guardSession(session));
  app.whenReady().then(() => shell.start()).catch((error: unknown) => {
    reportFailure('Vessel could not start', error, log);
    app.exit(1);
  });
}
