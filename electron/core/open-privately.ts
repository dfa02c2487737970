import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { runDirectory } from '#shared/paths.ts';

/** By then the browser has read the file, and the ticket in it has been used. */
const REMOVE_AFTER_MS = 60_000;
/** Outlives the program that opened the browser; argv: the file. */
const REMOVE = `setTimeout(() => require('node:fs').rmSync(process.argv[1], { force: true }), ${REMOVE_AFTER_MS})`;

/**
 * Opens `url` in the person's browser. Every user of the computer can read the arguments of a process, so the ticket goes into a private file that leads
 * on, and only the file is named; it is removed a minute later. Resolves once the opener runs; rejects with the opener's name and why it does not.
 */
export async function openPrivately(url: string, home: string, platform: string): Promise<void> {
  const file = `${runDirectory(home)}/open-${randomBytes(6).toString('hex')}.html`;
  const address = url.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
  await writeFile(file, `<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0;url=${address}"><title>Vessel</title>\n`, { mode: 0o600, flag: 'wx' });
  spawn(process.execPath, ['-e', REMOVE, file], { stdio: 'ignore', detached: true, env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' } }).on('error', () => undefined).unref(); // the file stays, private as it is, and its ticket is dead in ten minutes
  const [command, ...args] = opener(platform);
  await new Promise<void>((resolve, reject) => {
    const child = spawn(command, [...args, pathToFileURL(file).href], { detached: true, stdio: 'ignore' });
    child.once('error', (cause) => reject(new Error(`${command}: ${cause.message}`, { cause })));
    child.once('spawn', () => {
      child.unref();
      resolve();
    });
  });
}

function opener(platform: string): readonly [string, ...string[]] {
  switch (platform) {
    case 'darwin': return ['open'];
    case 'win32': return ['rundll32', 'url.dll,FileProtocolHandler'];
    default: return ['xdg-open'];
  }
}
