import { appendFileSync, readFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { VesselError } from '#shared/errors.ts';

/**
 * The crash sweep's lever: breaks at a named boundary (see `faultPoint`), by SIGKILL to this very process (`kill`, the
 * default), by SIGSTOP (`stop`: whoever set the trap then chooses the victim) or by an error (`throw`). Does nothing when
 * `VESSEL_FAULT` is not set.
 *
 * - `VESSEL_FAULT=<point>[:<how>]` breaks whenever the point is reached.
 * - `VESSEL_FAULT=@<folder>` notes every point that is passed in `<folder>/trace`, and breaks once at the point that
 *   `<folder>/trap` names (`<point>:<how>`); the trap is gone before it snaps.
 */
export function makeFault(setting: string | undefined): (point: string) => void {
  if (setting === undefined || setting === '') return () => undefined;
  if (setting.startsWith('@')) return (point) => followFolder(setting.slice(1), point);
  const [wanted, how] = setting.split(':');
  return (point) => { if (point === wanted) snap(point, how); };
}

function followFolder(folder: string, point: string): void {
  appendFileSync(join(folder, 'trace'), `${point}\n`);
  const trap = join(folder, 'trap');
  let set: string;
  try {
    set = readFileSync(trap, 'utf8').trim();
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === 'ENOENT') return;
    throw error;
  }
  const [wanted, how] = set.split(':');
  if (point !== wanted) return;
  unlinkSync(trap);
  snap(point, how);
}

function snap(point: string, how: string | undefined): void {
  if (how === 'throw') throw new VesselError('INTERNAL', `Fault injected at ${point}`);
  if (how === 'stop') { process.kill(process.pid, 'SIGSTOP'); return; }
  process.kill(process.pid, 'SIGKILL');
  // The signal is delivered asynchronously; nothing may happen after the boundary.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10_000);
}
