import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { log, messageOf } from '../log.ts';

/** A disk that takes longer is not waited for: the save then reads what it finds, as it always did. */
const SYNC_MS = 30_000;

const run = promisify(execFile);

/** True while a process has a file below `folder` in its memory for writing. */
function isMappedForWriting(folder: string): boolean {
  return readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name)) return false;
    let maps: string;
    try {
      maps = readFileSync(`/proc/${name}/maps`, 'utf8');
    } catch {
      // It has ended, or is another user's where the agent is not root.
      return false;
    }
    // Address, rights ("rw-s": may write, shared), offset, device, inode, path.
    return maps.split('\n').some((line) => /^\S+ .w.s /.test(line) && line.includes(` ${folder}/`));
  });
}

/**
 * The kernel dates a file at the first write into each page of a map after the page was last written to disk. Before a save reads, such pages are
 * written: what is written into them from then on shows in the file's times. Nothing is done while no file is mapped.
 */
export async function cleanMappedPages(workspace: string): Promise<void> {
  if (!isMappedForWriting(workspace)) return;
  try {
    await run('sync', ['-f', workspace], { timeout: SYNC_MS });
  } catch (error) {
    log(`writing mapped files to disk before a save: ${messageOf(error)}`);
  }
}
