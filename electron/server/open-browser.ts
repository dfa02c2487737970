import { openPrivately } from '../core/open-privately.ts';

/** True where a browser window can be expected. */
export const hasDisplay = (env: NodeJS.ProcessEnv, platform: NodeJS.Platform): boolean =>
  platform === 'darwin' || platform === 'win32' || Boolean(env['DISPLAY']) || Boolean(env['WAYLAND_DISPLAY']);

/** Opens `url` in the person's browser. A desktop without an opener is no error: the address is printed anyway. */
export async function openBrowser(url: string, home: string, log: (line: string) => void): Promise<void> {
  await openPrivately(url, home, process.platform).catch((error: Error) => log(`no browser was opened: ${error.message}`));
}
