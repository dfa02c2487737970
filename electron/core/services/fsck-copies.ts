import { VesselError } from '#shared/errors.ts';
import type { FsckFinding } from '#shared/archive-contract.ts';
import type { RemoteArchives, RemoteBackend } from '../ports/remote-store.ts';
import type { ProjectRecord } from '../ports/store.ts';
import type { ServiceContext } from './context.ts';
import { throwIfAborted } from './operations/run-steps.ts';

export type CopiesGiven = {
  readonly context: Pick<ServiceContext, 'store' | 'cold'>;
  readonly projects: readonly ProjectRecord[];
  readonly repair: boolean;
  readonly signal: AbortSignal;
  readonly progress: (fraction: number, detail: string) => void;
  readonly found: (finding: FsckFinding) => void;
};

/** Failures that tell nothing of what was to be looked at. */
export function isUnreachable(error: unknown): boolean {
  const { code } = VesselError.from(error);
  return code.startsWith('CLOUD_') || code === 'ENCRYPTION_LOCKED' || code === 'ENCRYPTION_WRONG_KEY';
}
/** Those of them that another object may be spared. */
const OF_ONE_OBJECT: readonly string[] = ['CLOUD_FAILED', 'CLOUD_REFUSED', 'ENCRYPTION_LOCKED', 'ENCRYPTION_WRONG_KEY'];

/**
 * Fetches every archive that a cloud holds of these projects and compares it with its hash; what is damaged or missing there is sent
 * again from this computer, when it has a sound copy. What one object keeps from being looked at is a finding. Returns how many were read. Throws what
 * means the whole cloud.
 */
export async function checkCopies(backend: RemoteBackend, name: string, given: CopiesGiven): Promise<number> {
  const { context, projects, signal, progress } = given;
  const here = projects.filter(({ id }) => context.store.sync.get(id)?.store === backend.kind);
  let read = 0;
  for (const [index, project] of here.entries()) {
    progress(index / here.length, `${project.name} in ${name}`);
    const unchecked = (what: string, sha256: string | null, error: unknown): void => {
      const { code, message } = VesselError.from(error);
      if (!OF_ONE_OBJECT.includes(code)) throw error;
      given.found({ projectId: project.id, revs: revsOf(context.store, project.id, sha256), sha256, problem: 'unchecked', outcome: 'unknown', text: `${what} of ${project.name} in ${name} could not be looked at: ${message}` });
    };
    let contents: readonly string[];
    try {
      const row = await backend.index.project(project.id);
      if (row === null && !context.store.sync.outbox.has(project.id, ['create'])) {
        given.found({ projectId: project.id, revs: [], sha256: null, problem: 'missing', outcome: 'repairable', text: `${project.name} is not in ${name} any more: another computer removed it there. \`vessel project store ${project.id} ${backend.kind}\` sends it again` });
        continue;
      }
      if (row?.locked === true) throw new VesselError('ENCRYPTION_LOCKED');
      contents = [...new Set((await backend.index.archives(project.id)).map(({ sha256 }) => sha256))];
    } catch (error) {
      unchecked('What lies', null, error);
      continue;
    }
    for (const sha256 of contents) {
      throwIfAborted(signal);
      read += 1;
      try {
        const problem = await problemOf(backend.archives, project.id, sha256, signal);
        if (typeof problem === 'string') given.found(await sendAgain(backend, name, given, project, sha256, problem));
      } catch (error) {
        unchecked('A revision', sha256, error);
      }
    }
    // Recorded here as sent, and not there.
    if (!context.store.sync.outbox.has(project.id, ['create', 'save'])) {
      for (const sha256 of new Set(context.store.revisions.list(project.id).map((revision) => revision.sha256))) {
        if (!contents.includes(sha256)) given.found({ projectId: project.id, revs: revsOf(context.store, project.id, sha256), sha256, problem: 'missing', outcome: 'repairable', text: `Revision ${revsOf(context.store, project.id, sha256).join(', ')} of ${project.name} is not recorded in ${name}` });
      }
    }
  }
  return read;
}

/** What is wrong with an archive in any store, or how large it is. Reads all of it. */
export async function problemOf(store: Pick<RemoteArchives, 'readBack' | 'list'>, projectId: string, sha256: string, signal?: AbortSignal): Promise<'damaged' | 'missing' | { readonly bytes: number }> {
  try {
    const found = await store.readBack(projectId, sha256, signal === undefined ? {} : { signal });
    return found.sha256 === sha256 ? found : 'damaged';
  } catch (error) {
    if (VesselError.from(error).code !== 'ARCHIVE_CORRUPT') throw error;
    return (await store.list(projectId)).some((archive) => archive.sha256 === sha256) ? 'damaged' : 'missing';
  }
}

const revsOf = (store: ServiceContext['store'], projectId: string, sha256: string | null): number[] => (sha256 === null ? [] : store.revisions.list(projectId).filter((revision) => revision.sha256 === sha256).map(({ rev }) => rev));

async function sendAgain({ archives }: Pick<RemoteBackend, 'archives'>, name: string, { context: { store, cold }, repair, signal }: CopiesGiven, project: ProjectRecord, sha256: string, problem: 'damaged' | 'missing'): Promise<FsckFinding> {
  const revs = revsOf(store, project.id, sha256);
  const finding = { projectId: project.id, revs, sha256, problem };
  const what = `${revs.length === 0 ? 'A revision' : `Revision ${revs.join(', ')}`} of ${project.name} is ${problem} in ${name}`;
  const path = cold.localPath(project.id, sha256);
  const local = await problemOf(cold, project.id, sha256);
  if (path === null || typeof local === 'string') return { ...finding, outcome: 'lost', text: `${what}, and there is no sound copy of it on this computer` };
  if (!repair) return { ...finding, outcome: 'repairable', text: `${what}; the copy on this computer is sound` };
  await archives.upload(project.id, { path, sha256, bytes: local.bytes }, { signal });
  if (typeof await problemOf(archives, project.id, sha256, signal) === 'string') return { ...finding, outcome: 'lost', text: `${what}, and stays so after it was sent again; the copy on this computer is sound` };
  return { ...finding, outcome: 'repaired', text: `${what}; sent again from this computer and read back` };
}
