import { linkEnds } from '#shared/archive-links.ts';
import { displayName } from './name-guard.ts';

/** Links that are named one by one. */
const NAMED = 20;

/** What an import says of links that lead out of the workspace: they are kept as they are. Paths and targets are byte text. */
export function notesOnLinks(targets: ReadonlyMap<string, string>): readonly string[] {
  const out = [...linkEnds(targets)].filter(([, end]) => end === 'out').map(([path]) => path);
  const shown = out.slice(0, NAMED).map((path) => `Kept as it is, a link that leads out of the workspace: ${text(path)} -> ${text(targets.get(path) ?? '')}`);
  return out.length > NAMED ? [...shown, `… and ${out.length - NAMED} more such links`] : shown;
}

const text = (bytes: string): string => displayName(Buffer.from(bytes, 'latin1'));
