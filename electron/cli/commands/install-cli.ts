import type { Command } from 'commander';
import { accessSync, chmodSync, constants, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import type { Use } from '../command-kit.ts';
import type { Runtime } from '../runtime.ts';

/** How our own launcher is told from another program of that name. */
const MARK = '# Vessel launcher (vessel install-cli)';

/** install-cli: a `vessel` on the PATH that starts without npx, which alone takes longer than most commands. */
export function registerInstallCli(program: Command, use: Use): void {
  program.command('install-cli').summary('put `vessel` on your PATH')
    .description('Writes a small launcher that starts this Vessel: in /usr/local/bin for root, else in ~/.local/bin. Run it again after you move the folder.')
    .option('-d, --dir <folder>', 'write it there instead')
    .option('--remove', 'take it away again')
    .action(use(async ({ runtime, output }, _args, options: { readonly dir?: string; readonly remove?: boolean }) => {
      const folder = options.dir === undefined ? defaultFolder(runtime) : resolve(runtime.cwd, options.dir);
      const path = join(folder, 'vessel');
      const present = readOrNull(path);
      if (present !== null && !present.includes(MARK)) {
        throw new VesselError('CONFLICT', `${path} is another program`, { retryable: false, hint: 'Choose another folder: `vessel install-cli --dir <folder>`.', details: { path } });
      }
      if (options.remove === true) {
        rmSync(path, { force: true });
        output.result({ path, removed: present !== null }, () => present === null ? `There is no ${path}` : `Removed ${path}`);
        return;
      }
      writeLauncher(folder, path, launcherOf(runtime));
      const onPath = (runtime.env['PATH'] ?? '').split(delimiter).includes(folder);
      output.result({ path, onPath }, () => onPath ? `Wrote ${path}: \`vessel --help\`` : `Wrote ${path}. Add its folder to your PATH: export PATH="${folder}:$PATH"`);
    }));
}

const defaultFolder = (runtime: Runtime): string => process.getuid?.() === 0 ? '/usr/local/bin' : join(runtime.homeDirectory, '.local', 'bin');

/** Node and the script that starts Vessel, as whoever started this process says. Throws BAD_REQUEST where a launcher makes no sense. */
function launcherOf({ env, platform }: Runtime): readonly [string, string] {
  if (platform === 'win32') throw new VesselError('BAD_REQUEST', 'There is no launcher for Windows yet', { hint: 'Use `npx vessel` in the folder of Vessel.' });
  const given = env['VESSEL_LAUNCHER'];
  if (given === undefined) throw new VesselError('BAD_REQUEST', 'This command line was not started from a clone of Vessel', { hint: 'Run `npx vessel install-cli` in the folder of Vessel.' });
  return z.tuple([z.string(), z.string()]).parse(JSON.parse(given));
}

function writeLauncher(folder: string, path: string, [node, script]: readonly [string, string]): void {
  const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  const text = `#!/bin/sh\n${MARK}\nexec ${quote(node)} ${quote(script)} "$@"\n`;
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    const temporary = `${path}.${process.pid}.tmp`;
    writeFileSync(temporary, text, { mode: 0o755 });
    chmodSync(temporary, 0o755);
    renameSync(temporary, path);
  } catch (error) {
    throw new VesselError('HOST_PERMISSION', `${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`, { retryable: false, hint: 'Choose a folder of yours: `vessel install-cli --dir ~/bin`.', cause: error });
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    // Below a file there is nothing to read; writing says that better.
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}
