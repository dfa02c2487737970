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
  /** What could not be looked at, and why. */
  readonly passed: (text: string) => void;
};

/**
 * Fetches every archive that a cloud holds of these projects and compares it with its hash; what is damaged or missing there is sent
 * again from this computer, when it has a sound copy. Returns how many were read. Throws what the cloud throws.
 */
export async function checkCopies(backend: RemoteBackend, name: string, given: CopiesGiven): Promise<number> {
  const { context, projects, signal, progress } = given;
  const here = projects.filter(({ id }) => context.store.sync.get(id)?.store === backend.kind);
  let read = 0;
  for (const [index, project] of here.entries()) {
    progress(index / here.length, `${project.name} in ${name}`);
    let contents: readonly string[];
    try {
      contents = [...new Set((await backend.index.archives(project.id)).map(({ sha256 }) => sha256))];
    } catch (error) {
      const { code, message } = VesselError.from(error);
      if (code !== 'ENCRYPTION_LOCKED') throw error;
      given.passed(`${project.name} was not looked at: ${message}`);
      continue;
    }
    for (const sha256 of contents) {
      throwIfAborted(signal);
      read += 1;
      const problem = await problemOf(backend.archives, project.id, sha256, signal);
      if (typeof problem === 'string') given.found(await sendAgain(backend, name, given, project, sha256, problem));
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

async function sendAgain({ archives }: Pick<RemoteBackend, 'archives'>, name: string, { context: { store, cold }, repair, signal }: CopiesGiven, project: ProjectRecord, sha256: string, problem: 'damaged' | 'missing'): Promise<FsckFinding> {
  const revs = store.revisions.list(project.id).filter((revision) => revision.sha256 === sha256).map(({ rev }) => rev);
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
