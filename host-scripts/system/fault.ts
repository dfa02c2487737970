import { appendFileSync, readFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from './errno.ts';

/**
 * Test hook. `VESSEL_FAULT=<stage>` kills this process, as `kill -9` would, when it enters that stage. With
 * `VESSEL_FAULT=@<folder>` every stage is noted in `<folder>/trace` as `agent.<stage>`, and the trap that `<folder>/trap` sets
 * (`agent.<stage>:kill` or `:stop`) snaps once. The crash sweeps use it to prove that every instant can be cleaned up after.
 */
export function breakIfAsked(stage: string): void {
  const setting = process.env['VESSEL_FAULT'];
  if (setting === undefined || setting === '') return;
  if (!setting.startsWith('@')) {
    if (setting === stage) process.kill(process.pid, 'SIGKILL');
    return;
  }
  const folder = setting.slice(1);
  const point = `agent.${stage}`;
  appendFileSync(join(folder, 'trace'), `${point}\n`);
  const trap = join(folder, 'trap');
  let set: string;
  try {
    set = readFileSync(trap, 'utf8').trim();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  const [wanted, how] = set.split(':');
  if (wanted !== point) return;
  unlinkSync(trap);
  process.kill(process.pid, how === 'stop' ? 'SIGSTOP' : 'SIGKILL');
}
