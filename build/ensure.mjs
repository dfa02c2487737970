#!/usr/bin/env node
// Installs what is missing, with nothing but the Node and npm of a fresh machine.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from './lib/lock.mjs';
import { NODE_MAJOR, modules, node24, root, stamps } from './lib/paths.mjs';
import { run } from './lib/run.mjs';

/** The oldest Node that can run these scripts. */
const OLDEST_NODE = 20;
const stampFile = join(modules, '.vessel-installed');

const wanted = () => `${createHash('sha256').update(readFileSync(join(root, 'package-lock.json'))).digest('hex')} ${process.platform}-${process.arch}`;

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  }
}

/** Cheap enough for every `npx vessel`: one hash of the lock file and two look-ups. */
export const isInstalled = () => readText(stampFile) === wanted() && existsSync(node24);

/** True when npm's own record of node_modules has every package of the lock file that this platform needs, in that version. */
function matchesLock() {
  const hidden = readText(join(modules, '.package-lock.json'));
  if (hidden === null) return false;
  const have = JSON.parse(hidden).packages;
  const want = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(want).every(([path, entry]) => path === '' || entry.optional === true || have[path]?.version === entry.version);
}

async function npm(args, say) {
  const onWindows = process.platform === 'win32';
  const command = onWindows ? process.env.ComSpec ?? 'cmd.exe' : 'npm';
  const result = await run(command, onWindows ? ['/d', '/s', '/c', 'npm', ...args] : args, { output: 'capture' });
  if (result.code === 0) return;
  const tail = result.text.trimEnd().split('\n').slice(-15).join('\n');
  say(tail);
  if (result.code === 127) throw new Error('npm was not found. Install it (Debian: apt-get install npm) and run this again.');
  if (/E(NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|TIMEDOUT)|ETIMEDOUT|network/i.test(result.text)) throw new Error('npm could not reach its registry. Check the network (npm ping) or the proxy (npm config get proxy), then run this again.');
  if (/ENOSPC/.test(result.text)) throw new Error('The disk is full. Free about 1.5 GB and run this again.');
  if (/EACCES|EPERM/.test(result.text)) throw new Error(`npm may not write to ${root}. Run it as the owner of this folder.`);
  throw new Error(`npm ${args.join(' ')} failed with code ${result.code}; its last lines stand above.`);
}

/** Version of the Node in node_modules, or null when it cannot run. */
async function nodeVersion() {
  if (!existsSync(node24)) return null;
  const result = await run(node24, ['--version'], { output: 'capture' });
  return result.code === 0 ? result.text.trim() : null;
}

async function ensureNode(say) {
  const good = (version) => version !== null && Number(/^v(\d+)/.exec(version)?.[1]) >= NODE_MAJOR;
  if (good(await nodeVersion())) return;
  // `--ignore-scripts` leaves the package without its binary: run its own install step.
  say('Fetching Node 24 (npm was told to ignore install scripts)…');
  const step = await run(process.execPath, ['installArchSpecificPackage.js'], { cwd: join(modules, 'node'), output: 'capture', env: { ...process.env, npm_config_ignore_scripts: 'false' } });
  const version = await nodeVersion();
  if (!good(version)) throw new Error(`Node ${NODE_MAJOR} could not be installed (${step.text.trim().split('\n').at(-1) ?? 'no output'}). Run: npm rebuild node`);
}

/** Makes node_modules match package-lock.json and Node 24 runnable. `say` gets the lines for people. */
export async function ensure({ say = (line) => process.stderr.write(`${line}\n`) } = {}) {
  if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) throw new Error(`Node ${OLDEST_NODE} or newer is needed to start; this is ${process.version}.`);
  if (isInstalled()) return;
  await withLock(join(stamps, 'install.lock'), async () => {
    if (isInstalled()) return; // another process did it while we waited
    if (!matchesLock()) {
      const started = Date.now();
      say('Installing packages (npm ci)…');
      await npm(['ci', '--no-audit', '--no-fund', '--loglevel=error'], say);
      say(`Packages installed in ${((Date.now() - started) / 1000).toFixed(0)} s.`);
    }
    await ensureNode(say);
    mkdirSync(modules, { recursive: true });
    writeFileSync(stampFile, wanted());
  }, (pid) => say(`Waiting for another install (process ${pid})…`));
}

/** For entry scripts: prints the message of an error that is meant for people and leaves with code 1. */
export function fail(error) {
  process.stderr.write(`vessel: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

export const isMain = (url) => process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(url);

if (isMain(import.meta.url)) await ensure().catch(fail);
