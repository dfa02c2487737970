import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { modules, node24 } from './paths.mjs';
import { run } from './run.mjs';

const packageDir = join(modules, 'electron');
const attemptFile = join(modules, '.cache', 'vessel', 'electron-attempt.json');

/** A machine that could not fetch it will hardly do so a minute later: ask again after a day. */
const REMEMBER_FAILURE_MS = 24 * 3600_000;
/** Long enough for a slow line to answer one request, short enough not to be noticed at start. */
const PROBE_MS = 4_000;
/** About 120 MB; on a slower line than 1 MB/s browser mode is the better start. */
const DOWNLOAD_MS = 120_000;
/** Where Electron's own installer fetches from; it honours the same variable. */
const MIRROR = process.env.ELECTRON_MIRROR ?? 'https://github.com/electron/electron/releases/download/';

const readText = (path) => existsSync(path) ? readFileSync(path, 'utf8') : null;

/** Path of Electron's program when it is installed, else null. */
export function electronBinary() {
  const program = readText(join(packageDir, 'path.txt'));
  if (program === null && process.env.ELECTRON_OVERRIDE_DIST_PATH === undefined) return null;
  const path = join(process.env.ELECTRON_OVERRIDE_DIST_PATH ?? join(packageDir, 'dist'), program ?? 'electron');
  return existsSync(path) ? path : null;
}

/** Why a window cannot be shown here, or null when it can. */
export function whyNoWindow() {
  if (process.platform !== 'linux') return null;
  if (!process.env.DISPLAY && !process.env.WAYLAND_DISPLAY) return 'there is no display';
  if (process.getuid?.() === 0) return 'Electron does not run as root inside its sandbox';
  return null;
}

function rememberedFailure() {
  const text = readText(attemptFile);
  if (text === null) return null;
  try {
    const { failedAt, reason } = JSON.parse(text);
    return Date.now() - failedAt < REMEMBER_FAILURE_MS ? reason : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null; // cut off by a crash: try again
    throw error;
  }
}

function remember(reason) {
  mkdirSync(dirname(attemptFile), { recursive: true });
  writeFileSync(attemptFile, JSON.stringify({ failedAt: Date.now(), reason }));
  return reason;
}

async function reachable() {
  try {
    // Any answer will do: the question is whether somebody is there at all.
    await fetch(MIRROR, { method: 'HEAD', redirect: 'manual', signal: AbortSignal.timeout(PROBE_MS) });
    return true;
  } catch (error) {
    if (error instanceof TypeError || error.name === 'TimeoutError') return false; // fetch says TypeError for every network failure
    throw error;
  }
}

/** The program, fetched when that is quick. Resolves to `{path}` or `{reason}`. */
export async function findElectron(say) {
  const present = electronBinary();
  if (present !== null) return { path: present };
  const remembered = rememberedFailure();
  if (remembered !== null) return { reason: remembered };
  if (!await reachable()) return { reason: remember('its download cannot be reached from here') };
  say('Fetching Electron, once…');
  const result = await run(node24, [join(packageDir, 'install.js')], { output: 'capture', timeoutMs: DOWNLOAD_MS });
  const path = electronBinary();
  if (result.code === 0 && path !== null) {
    rmSync(attemptFile, { force: true });
    return { path };
  }
  return { reason: remember(result.timedOut ? 'its download took too long' : 'its download failed') };
}
