import type { Readable } from 'node:stream';
import { VesselError } from '#shared/errors.ts';
import type { Revision } from '#shared/project.ts';
import type { RetentionPolicy } from '../domain/retention.ts';
import { audit, type ServiceContext } from './context.ts';
import type { StartedOperation } from './operations/operations.ts';
import { requireResting, type Projects } from './projects.ts';
import { pruneRevisions, recordRevision, writeManifest } from './revisions.ts';

/** The revisions of a project: listed, restored, exported, checked, pruned. */
export class History {
  readonly #context: ServiceContext;
  readonly #projects: Projects;

  constructor(context: ServiceContext, projects: Projects) {
    this.#context = context;
    this.#projects = projects;
  }

  /** Newest first; equal archives count once in `totalBytes`. */
  list(projectId: string): { readonly revisions: readonly Revision[]; readonly totalBytes: number } {
    this.#projects.record(projectId);
    const revisions = this.#context.store.revisions.list(projectId);
    const sizes = new Map(revisions.map((revision) => [revision.sha256, revision.bytes]));
    return { revisions, totalBytes: [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0) };
  }

  /** The revision of that number, or the head. Throws NOT_FOUND. */
  revision(projectId: string, rev: number | null): Revision {
    const { head } = this.#projects.record(projectId);
    const revision = rev === null ? head : this.#context.store.revisions.get(projectId, rev);
    if (revision === null) throw new VesselError('NOT_FOUND', rev === null ? 'This project has no revision yet' : `There is no revision ${rev}`, { details: { projectId, rev } });
    return revision;
  }

  /** A new revision with an old one's content: only the pointer moves, nothing is copied. */
  restore(projectId: string, rev: number): StartedOperation {
    const { store, cold, runtime, operations } = this.#context;
    const project = this.#projects.record(projectId);
    const old = this.revision(projectId, rev);
    requireResting(this.#context, projectId, project.environment?.state ?? null);
    const state: { revision: Revision | null } = { revision: null };
    return operations.start({
      kind: 'restore', title: `Restore revision ${rev} of ${project.name}`, projectId, hostId: project.hostId, cancellable: true,
      request: { call: 'history.restore', input: { projectId, rev } }, state, result: () => state.revision,
      steps: [
        { id: 'verify', title: 'Check the old archive', weight: 9, run: async () => {
          await this.#check(old);
          return `SHA-256 ${old.sha256.slice(0, 12)}… matches`;
        } },
        { id: 'record', title: 'Make it the current revision', weight: 1, run: async () => {
          const now = runtime.now();
          const { pinned: _pinned, origin: _origin, ...content } = old;
          state.revision = await recordRevision({ store, cold, runtime, feed: this.#context.feed }, { ...content, reason: 'restore', createdAt: now, verifiedAt: now }, project.head?.rev ?? null);
          return `Revision ${state.revision.rev}`;
        } },
      ],
    });
  }

  /** Writes a copy of the archive; it only gets its name when its hash is right. */
  async exportTo(projectId: string, rev: number | undefined, path: string, signal: AbortSignal): Promise<{ readonly path: string; readonly rev: number; readonly bytes: number; readonly sha256: string }> {
    const revision = this.revision(projectId, rev ?? null);
    const content = await this.#context.cold.open(projectId, revision.sha256);
    const written = await this.#context.files.write(path, content, { signal, expectSha256: revision.sha256 });
    audit(this.#context, { kind: 'revision.exported', projectId, text: `Exported revision ${revision.rev}`, data: { rev: revision.rev, path } });
    return { ...written, rev: revision.rev };
  }

  /** The archive as a stream that fails at its end when the hash is wrong. */
  async open(projectId: string, rev: number | null): Promise<{ readonly content: Readable; readonly bytes: number; readonly fileName: string; readonly sha256: string }> {
    const revision = this.revision(projectId, rev);
    const content = this.#context.files.guarded(await this.#context.cold.open(projectId, revision.sha256), revision.sha256, () => undefined);
    return { content, bytes: revision.bytes, fileName: `${projectId}-r${revision.rev}.zip`, sha256: revision.sha256 };
  }

  async prune(projectId: string, policy: Partial<RetentionPolicy>): Promise<{ readonly removed: readonly number[]; readonly freedBytes: number }> {
    this.#projects.record(projectId);
    const { retention } = this.#context.store.settings.get();
    return pruneRevisions(this.#context, projectId, { keepRevisions: policy.keepRevisions ?? retention.keepRevisions, keepDays: policy.keepDays ?? retention.keepDays, keepBytes: policy.keepBytes ?? retention.keepBytes });
  }

  /** A pinned revision is never pruned. */
  async pin(projectId: string, rev: number, pinned: boolean): Promise<Revision> {
    this.revision(projectId, rev);
    this.#context.store.revisions.setPinned(projectId, rev, pinned);
    const revision = this.revision(projectId, rev);
    await writeManifest(this.#context, revision);
    audit(this.#context, { kind: pinned ? 'revision.pinned' : 'revision.unpinned', projectId, text: `${pinned ? 'Pinned' : 'Unpinned'} revision ${rev}`, data: { rev } });
    this.#context.feed.project(projectId);
    return revision;
  }

  /** Reads the archive back; `ok` false means that it is damaged. */
  async verify(projectId: string, rev: number | undefined): Promise<{ readonly ok: boolean; readonly verifiedAt: number; readonly sha256: string }> {
    const revision = this.revision(projectId, rev ?? null);
    try {
      await this.#check(revision);
    } catch (error) {
      if (VesselError.from(error).code !== 'ARCHIVE_CORRUPT') throw error;
      audit(this.#context, { kind: 'revision.damaged', projectId, text: `Revision ${revision.rev} is damaged`, data: { rev: revision.rev } });
      return { ok: false, verifiedAt: revision.verifiedAt, sha256: revision.sha256 };
    }
    const now = this.#context.runtime.now();
    this.#context.store.revisions.setVerified(projectId, revision.rev, now);
    this.#context.feed.project(projectId);
    return { ok: true, verifiedAt: now, sha256: revision.sha256 };
  }

  async #check(revision: Revision): Promise<void> {
    const found = await this.#context.cold.readBack(revision.projectId, revision.sha256);
    if (found.sha256 !== revision.sha256) throw new VesselError('ARCHIVE_CORRUPT', undefined, { details: { rev: revision.rev, expected: revision.sha256, found: found.sha256 } });
  }
}
