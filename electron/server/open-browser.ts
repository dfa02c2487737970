import { spawn } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { runDirectory } from '#shared/paths.ts';

/** By then the browser has read the file, and the ticket in it has been used. */
const REMOVE_AFTER_MS = 60_000;

/** True where a browser window can be expected. */
export const hasDisplay = (env: NodeJS.ProcessEnv, platform: NodeJS.Platform): boolean =>
  platform === 'darwin' || platform === 'win32' || Boolean(env['DISPLAY']) || Boolean(env['WAYLAND_DISPLAY']);

/**
 * Opens `url` in the person's browser. Every user of the computer can read the arguments of a process, so the ticket goes
 * into a private file that leads on, and only the file is named. A desktop without an opener is no error: the address is printed anyway.
 */
export async function openBrowser(url: string, home: string, log: (line: string) => void): Promise<void> {
  const file = `${runDirectory(home)}/open.html`;
  await writeFile(file, `<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0;url=${url.replaceAll('&', '&amp;').replaceAll('"', '&quot;')}"><title>Vessel</title>\n`, { mode: 0o600 });
  setTimeout(() => { rm(file, { force: true }).catch((error: Error) => log(`cannot remove ${file}: ${error.message}`)); }, REMOVE_AFTER_MS).unref();
  const [command, ...args] = opener(process.platform, pathToFileURL(file).href);
  const child = spawn(command, args, { stdio: 'ignore', detached: true });
  child.once('error', (error) => log(`no browser was opened: ${error.message}`));
  child.unref();
}

function opener(platform: NodeJS.Platform, address: string): readonly [string, ...string[]] {
  if (platform === 'darwin') return ['open', address];
  if (platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler', address];
  return ['xdg-open', address];
}
