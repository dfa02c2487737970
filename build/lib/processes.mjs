import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Every process of a test run inherits this variable, also through setsid and across its parent's end. */
export const RUN_MARK = 'VESSEL_TEST_RUN';

/**
 * Linux: living processes that carry the mark, or name the run's own folder in their arguments (a hypervisor starts with an
 * empty environment), with their command line. Elsewhere none are found.
 */
export function marked(id, folder = '') {
  if (process.platform !== 'linux') return [];
  const needle = `${RUN_MARK}=${id}`;
  const found = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      if (!(folder !== '' && command.includes(`${folder}/`)) && !readFileSync(`/proc/${name}/environ`, 'utf8').split('\0').includes(needle)) continue;
      found.push({ pid: Number(name), command: command.slice(0, 160) });
    } catch (error) {
      // Ended while we looked (ENOENT, ESRCH), or another user's: not ours to end.
      if (!['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(error.code)) throw error;
    }
  }
  return found;
}

function kill(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error; // already gone
  }
}

/** Waits `graceMs` for the marked processes to end by themselves, then ends the rest. Returns those it had to end. */
export async function endMarked(id, graceMs, folder = '') {
  const deadline = Date.now() + graceMs;
  while (marked(id, folder).length > 0 && Date.now() < deadline) await sleep(250);
  const left = marked(id, folder);
  for (const { pid } of left) kill(pid, 'SIGTERM');
  if (left.length > 0) await sleep(2_000);
  for (const { pid } of marked(id, folder)) kill(pid, 'SIGKILL');
  return left;
}
