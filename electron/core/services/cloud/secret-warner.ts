import type { ArchiveScan } from '#shared/archive-contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { Revision } from '#shared/project.ts';
import { audit, type ServiceContext } from '../context.ts';

/** Named in full; of more the number is told. */
const NAMED = 3;

/** Looks at a revision before it is sent to a cloud; resolves whatever it found. */
export type BeforeUpload = (revision: Revision, signal: AbortSignal) => Promise<void>;

/**
 * Says which files of a revision look like secrets, before they leave this computer. The upload goes on: the cloud is the person's own, and
 * a save that silently stayed here would be the worse surprise. The same files are told once, not with every save.
 */
export function secretWarner(context: Pick<ServiceContext, 'store' | 'runtime'>, scan: (revision: Revision, signal: AbortSignal) => Promise<ArchiveScan>): BeforeUpload {
  const told = new Map<string, string>();
  return async (revision, signal) => {
    const { projectId, rev } = revision;
    let paths: readonly string[];
    try {
      paths = [...new Set((await scan(revision, signal)).secrets.map(({ path }) => path))].sort();
    } catch (error) {
      if (signal.aborted) throw error;
      // What cannot be read is told by the upload itself, which reads it too.
      context.runtime.log(`${projectId}: revision ${rev} was not searched for secrets: ${VesselError.from(error).message}`);
      return;
    }
    const found = paths.join('\n');
    if (told.get(projectId) === found) return;
    told.set(projectId, found);
    if (paths.length === 0) return;
    const more = paths.length > NAMED ? ` and ${paths.length - NAMED} more` : '';
    audit(context, { kind: 'cloud.secrets', projectId, text: `Revision ${rev} goes to the cloud with what looks like secrets: ${paths.slice(0, NAMED).join(', ')}${more}. The preset "lean" or a rule of the project leaves them out.`, data: { rev, paths: paths.slice(0, 100) } });
  };
}
