import type { Readable } from 'node:stream';
import type { FsckFinding, FsckReport } from '#shared/archive-contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { Revision } from '#shared/project.ts';
import type { ArchiveStore } from '../ports/cold-store.ts';
import type { RemoteBackend, RemoteKind } from '../ports/remote-store.ts';
import type { ProjectRecord } from '../ports/store.ts';
import { audit, type ServiceContext } from './context.ts';
import { checkCopies, isUnreachable, problemOf } from './fsck-copies.ts';
import type { StepContext } from './operations/definition.ts';
import type { StartedOperation } from './operations/operations.ts';
import { throwIfAborted } from './operations/run-steps.ts';
import { writeManifest } from './revisions.ts';

/** Where a sound copy of an archive may be found. Answers null when it has none, and has checked what it gives; throws when it cannot be asked. */
export type CopySource = { readonly name: string; find(projectId: string, sha256: string): Promise<Readable | null> };
/** What of a store is needed to read an archive back. */
type Mirror = Pick<ArchiveStore, 'readBack' | 'open' | 'list'>;
/** `clouds`: those that can be asked now. */
export type FsckNeeds = { readonly context: ServiceContext; readonly sources: readonly CopySource[]; readonly clouds?: (() => readonly RemoteBackend[]) | undefined };

/** An object that no row names for so long is no upload that still goes on: the longest that one is continued for without its row. */
const LEFTOVER_MS = 24 * 60 * 60 * 1000;
const CLOUDS: Readonly<Record<RemoteKind, string>> = { supabase: 'Supabase', s3: 'the S3 bucket' };

/** Outcomes after which a revision cannot be restored, or nobody knows. */
const UNSOUND: readonly FsckFinding['outcome'][] = ['lost', 'repairable', 'unknown'];

type State = { readonly findings: FsckFinding[]; projects: number; revisions: number; archives: number; bytes: number; elsewhere: number; readonly unreached: Set<RemoteKind>; readonly began: number; report: FsckReport | null };

/**
 * Reads every archive of the cold store back and compares it with the hash of its revisions. What is damaged or missing is put
 * again from another copy; without one it is named and left as it is. No archive of this computer is ever removed, and none of a
 * cloud but those that no row has named for a day, when `sweep` says so. It needs no network, unless something here is damaged: with `copies`
 * what the clouds hold is fetched and compared too. What should be looked at and cannot be is a finding.
 */
export function checkStore(needs: FsckNeeds, projectId: string | undefined, repair: boolean, { sweep = false, copies = false }: { readonly sweep?: boolean; readonly copies?: boolean } = {}): StartedOperation {
  const { context } = needs;
  const chosen = projectId === undefined ? null : context.store.projects.get(projectId);
  if (projectId !== undefined && chosen === null) throw new VesselError('NOT_FOUND', `There is no project "${projectId}"`);
  const state: State = { findings: [], projects: 0, revisions: 0, archives: 0, bytes: 0, elsewhere: 0, unreached: new Set(), began: context.runtime.now(), report: null };
  return context.operations.start<State>({
    kind: 'fsck', title: chosen === null ? 'Check everything in the cold store' : `Check what is stored of ${chosen.name}`, projectId: null, hostId: null, cancellable: true, exclusive: false,
    request: { call: 'store.check', input: { ...(projectId === undefined ? {} : { projectId }), repair, sweep, copies } }, state, result: ({ report }) => report,
    steps: [
      { id: 'archives', title: 'Read every archive back and compare', weight: 95, run: (step) => checkArchives(needs, chosen, repair, copies, step) },
      { id: 'copies', title: 'Fetch every copy in the cloud and compare', weight: 95, needed: () => copies && (needs.clouds?.().length ?? 0) > 0, run: (step) => readCopies(needs, chosen, repair, step) },
      { id: 'clouds', title: 'Look for what uploads left in the cloud', weight: 5, needed: () => (copies || sweep) && (needs.clouds?.().length ?? 0) > 0, run: (step) => checkClouds(needs, projectId, sweep, step) },
      { id: 'manifests', title: 'Compare the manifests beside them', weight: 5, run: (step) => checkManifests(needs, chosen, repair, step) },
    ],
  });
}

async function checkArchives(needs: FsckNeeds, chosen: ProjectRecord | null, repair: boolean, copies: boolean, step: StepContext<State>): Promise<string> {
  const { store, cold, runtime } = needs.context;
  const { state, signal } = step;
  const work = (chosen === null ? store.projects.list(true) : [chosen]).map((project) => ({ project, revisions: store.revisions.list(project.id) }));
  const total = Math.max(1, work.reduce((sum, { revisions }) => sum + distinct(revisions).size, 0));
  for (const { project, revisions } of work) {
    state.projects += 1;
    state.revisions += revisions.length;
    const named = distinct(revisions);
    const here = new Set((await cold.list(project.id)).map(({ sha256 }) => sha256));
    // What came from another computer and was never wanted here, or is only there now.
    const mayBeElsewhere = store.sync.get(project.id) !== null && !store.sync.outbox.has(project.id, ['create', 'save']);
    for (const [sha256, of] of named) {
      throwIfAborted(signal);
      if (!copies && mayBeElsewhere && !here.has(sha256)) { state.elsewhere += 1; continue; }
      state.archives += 1;
      step.progress(state.archives / total, `${project.name}: ${state.archives} of ${total} archives`);
      let problem: Awaited<ReturnType<typeof problemOf>>;
      try {
        problem = await problemOf(cold, project.id, sha256);
      } catch (error) {
        if (!isUnreachable(error)) throw error;
        tell(needs, step, { projectId: project.id, revs: of.map(({ rev }) => rev), sha256, problem: 'unchecked', outcome: 'unknown', text: `Revision ${of.map(({ rev }) => rev).join(', ')} of ${project.name} is not on this computer, and could not be fetched: ${VesselError.from(error).message}` });
        continue;
      }
      if (typeof problem !== 'string') {
        state.bytes += problem.bytes;
        for (const revision of of) store.revisions.setVerified(project.id, revision.rev, runtime.now());
        continue;
      }
      // Pruned while this read it: nothing is missing.
      if (!store.revisions.isUsed(project.id, sha256)) continue;
      tell(needs, step, await mend(needs, project, sha256, of.map(({ rev }) => rev), problem, repair, signal));
    }
    const busy = needs.context.operations.active(project.id, null) !== null;
    for (const { sha256, bytes } of await cold.list(project.id)) {
      // A save under way has written its archive and not yet its row.
      if (named.has(sha256) || busy || store.revisions.isUsed(project.id, sha256)) continue;
      tell(needs, step, { projectId: project.id, revs: [], sha256, problem: 'unused', outcome: 'kept', text: `An archive of ${bytes} bytes that no revision names; it is removed when the project rests` });
    }
  }
  return `${state.archives} archives, ${state.bytes} bytes`;
}

async function mend({ context, sources }: FsckNeeds, project: ProjectRecord, sha256: string, revs: readonly number[], problem: 'damaged' | 'missing', repair: boolean, signal: AbortSignal): Promise<FsckFinding> {
  const finding = { projectId: project.id, revs: [...revs], sha256, problem };
  const what = `${problem === 'damaged' ? 'Does not match its hash' : 'Is not there'} (revision ${revs.join(', ')} of ${project.name})`;
  let unasked: string | null = null;
  for (const source of sources) {
    let copy: Readable | null;
    try {
      copy = await source.find(project.id, sha256);
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      unasked = `${source.name} could not be looked at: ${VesselError.from(error).message}`;
      continue;
    }
    if (copy === null) continue;
    if (!repair) { copy.destroy(); return { ...finding, outcome: 'repairable', text: `${what}; there is a sound copy: ${source.name}` }; }
    const stored = await context.cold.put(project.id, copy, { signal });
    if (stored.sha256 === sha256 && (await context.cold.readBack(project.id, sha256)).sha256 === sha256) {
      for (const rev of revs) context.store.revisions.setVerified(project.id, rev, context.runtime.now());
      return { ...finding, outcome: 'repaired', text: `${what}; put again from ${source.name} and read back` };
    }
  }
  if (unasked !== null) return { ...finding, outcome: 'unknown', text: `${what}; ${unasked}` };
  return { ...finding, outcome: 'lost', text: `${what}, and there is no other copy; it is left as it is` };
}

/** Asks each cloud. One that cannot be looked at is a finding; the others are looked at all the same. */
async function inClouds({ clouds, ...needs }: FsckNeeds, step: StepContext<State>, ask: (backend: RemoteBackend, name: string) => Promise<number>): Promise<string> {
  let count = 0;
  const failed: string[] = [];
  for (const backend of clouds?.() ?? []) {
    const name = CLOUDS[backend.kind];
    if (step.state.unreached.has(backend.kind)) continue; // said already
    try {
      count += await ask(backend, name);
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      failed.push(name);
      step.state.unreached.add(backend.kind);
      tell({ clouds, ...needs }, step, { projectId: '', revs: [], sha256: null, problem: 'unchecked', outcome: 'unknown', text: `${name} was not looked at to the end: ${VesselError.from(error).message}` });
    }
  }
  if (failed.length > 0) return `${failed.join(' and ')} could not be looked at`;
  return count === 0 ? 'Nothing' : `${count} archives`;
}

function readCopies(needs: FsckNeeds, chosen: ProjectRecord | null, repair: boolean, step: StepContext<State>): Promise<string> {
  return inClouds(needs, step, (backend, name) => checkCopies(backend, name, {
    context: needs.context, projects: chosen === null ? needs.context.store.projects.list(true) : [chosen], repair, signal: step.signal,
    progress: (fraction, detail) => step.progress(fraction, detail), found: (finding) => tell(needs, step, finding),
  }));
}

function checkClouds(needs: FsckNeeds, projectId: string | undefined, sweep: boolean, step: StepContext<State>): Promise<string> {
  return inClouds(needs, step, async ({ leftovers }, name) => {
    let count = 0;
    for (const object of await leftovers?.find(LEFTOVER_MS, step.signal) ?? []) {
      throwIfAborted(step.signal);
      if (projectId !== undefined && object.projectId !== projectId) continue;
      const removed = sweep && await leftovers?.remove(object) === true;
      if (sweep && !removed) continue; // a computer has recorded it meanwhile
      count += 1;
      tell(needs, step, { projectId: object.projectId, revs: [], sha256: object.sha256, problem: 'leftover', outcome: removed ? 'removed' : 'kept', text: `${object.bytes} bytes in ${name} that no revision of any computer names${removed ? '; removed' : ', for more than a day'}` });
    }
    return count;
  });
}

async function checkManifests(needs: FsckNeeds, chosen: ProjectRecord | null, repair: boolean, step: StepContext<State>): Promise<string> {
  const { store, cold, runtime } = needs.context;
  const unreadable: string[] = [];
  const found = new Map((await cold.manifests((path, why) => unreadable.push(`${path}: ${why}`))).map((manifest) => [`${manifest.project.id}/${manifest.revision.rev}`, manifest.revision]));
  // What came from another computer gets its manifest with the next housekeeping: that is no damage.
  const owed = new Set(store.revisions.withoutManifest().map(({ projectId, rev }) => `${projectId}/${rev}`));
  let written = 0;
  for (const project of chosen === null ? store.projects.list(true) : [chosen]) {
    for (const revision of store.revisions.list(project.id)) {
      throwIfAborted(step.signal);
      if (found.get(`${project.id}/${revision.rev}`)?.sha256 === revision.sha256) continue;
      if (repair) { await writeManifest(needs.context, revision); written += 1; }
      if (owed.has(`${project.id}/${revision.rev}`)) continue;
      tell(needs, step, { projectId: project.id, revs: [revision.rev], sha256: revision.sha256, problem: 'manifest', outcome: repair ? 'repaired' : 'repairable', text: `The manifest of revision ${revision.rev} of ${project.name} is missing, unreadable or another one's${repair ? '; written again' : ''}` });
    }
  }
  for (const line of unreadable) step.log(`Unreadable manifest ${line}`, 'warn');
  const { state } = step;
  const { findings, projects, revisions, archives, bytes, elsewhere } = state;
  state.report = { projects, revisions, archives, bytes, elsewhere, ms: runtime.now() - state.began, findings: [...findings], sound: !findings.some(({ problem, outcome }) => problem !== 'manifest' && UNSOUND.includes(outcome)) };
  audit(needs.context, { kind: 'store.checked', operationId: step.operationId, text: `Checked ${archives} archives: ${findings.length} findings`, data: { archives, findings: findings.length, sound: state.report.sound } });
  return written === 0 ? 'All there' : `${written} written again`;
}

function tell({ context }: FsckNeeds, { state, log, operationId }: StepContext<State>, finding: FsckFinding): void {
  state.findings.push(finding);
  log(finding.projectId === '' ? finding.text : `${finding.projectId}: ${finding.text}`, finding.outcome === 'lost' ? 'error' : 'warn');
  if (finding.problem === 'damaged' || finding.problem === 'missing') {
    audit(context, { kind: finding.outcome === 'repaired' ? 'revision.repaired' : 'revision.damaged', projectId: finding.projectId, operationId, text: finding.text, data: { revs: finding.revs, sha256: finding.sha256 } });
  }
}

function distinct(revisions: readonly Revision[]): Map<string, Revision[]> {
  const bySha = new Map<string, Revision[]>();
  for (const revision of revisions) bySha.set(revision.sha256, [...bySha.get(revision.sha256) ?? [], revision]);
  return bySha;
}

/** The same content under another project of the store: templates and imports often share it. */
export function siblingSource({ store, cold }: Pick<ServiceContext, 'store' | 'cold'>): CopySource {
  return {
    name: 'another project',
    async find(projectId, sha256) {
      for (const other of store.revisions.holders(sha256)) {
        if (other === projectId) continue;
        const problem = await problemOf(cold, other, sha256);
        if (typeof problem !== 'string') return cold.open(other, sha256);
      }
      return null;
    },
  };
}

/** Another store with the same addresses: `storeOf` names the one that a project also rests in, null where there is none. */
export function mirrorSource(name: string, storeOf: (projectId: string) => Mirror | null): CopySource {
  return {
    name,
    async find(projectId, sha256) {
      const mirror = storeOf(projectId);
      if (mirror === null) return null;
      try {
        return typeof await problemOf(mirror, projectId, sha256) === 'string' ? null : await mirror.open(projectId, sha256);
      } catch (error) {
        if (VesselError.from(error).code === 'NOT_FOUND') return null;
        throw error;
      }
    },
  };
}
