import { VesselError } from '#shared/errors.ts';
import { makeProjectId } from '#shared/ids.ts';
import type { Project, ProjectSettings, ProjectSettingsPatch, Revision, TemplateId } from '#shared/project.ts';
import { isPurgeable } from '../domain/retention.ts';
import type { ZipInTheMaking } from '../ports/archiver.ts';
import type { ProjectRecord } from '../ports/store.ts';
import { audit, type ServiceContext } from './context.ts';
import { recordRevision, verifyStored, writeManifest } from './revisions.ts';

export type NewProject = { readonly name: string; readonly template: TemplateId | null; readonly hostId: string; readonly settings: ProjectSettingsPatch };

/** Projects: created, renamed, deleted softly, brought back, purged. */
export class Projects {
  readonly #context: ServiceContext;
  /** Without a revision yet, but on the way to one. */
  readonly #making = new Set<string>();

  constructor(context: ServiceContext) { this.#context = context; }

  list(includeDeleted: boolean): readonly Project[] {
    return this.#context.store.projects.list(includeDeleted).map((record) => this.#context.feed.complete(record));
  }

  /** Throws NOT_FOUND. */
  record(projectId: string): ProjectRecord {
    const record = this.#context.store.projects.get(projectId);
    if (record === null) throw new VesselError('NOT_FOUND', `There is no project "${projectId}"`, { details: { projectId } });
    return record;
  }

  get(projectId: string): Project { return this.#context.feed.complete(this.record(projectId)); }

  /** A new project with its first verified revision. Nothing is left when that fails. */
  async create(input: NewProject & { readonly template: TemplateId }): Promise<Project> {
    const id = this.insert(input);
    this.#making.add(id);
    try {
      await this.firstRevision(id, await this.#context.archiver.template(input.template, input.name), 'create', AbortSignal.any([]));
    } catch (error) {
      await this.#forget(id);
      throw error;
    } finally {
      this.#making.delete(id);
    }
    audit(this.#context, { kind: 'project.created', projectId: id, text: `Created "${input.name}" from ${input.template}` });
    return this.get(id);
  }

  /** The bare row; its first revision must follow. */
  insert({ name, template, hostId, settings }: NewProject): string {
    const { store, runtime } = this.#context;
    if (store.hosts.get(hostId) === null) throw new VesselError('NOT_FOUND', `There is no host "${hostId}"`);
    const defaults: ProjectSettings = store.settings.get().defaults;
    const random = (bytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(bytes));
    let id = makeProjectId(name, random);
    while (store.projects.get(id) !== null) id = makeProjectId(name, random);
    store.projects.insert({ id, name, template, hostId, createdAt: runtime.now(), settings: { ...defaults, ...given(settings) } });
    this.#context.feed.project(id);
    return id;
  }

  /** Puts, reads back and records the first revision of a project. */
  async firstRevision(projectId: string, zip: ZipInTheMaking, reason: Revision['reason'], signal: AbortSignal, leftOut: Revision['leftOut'] = []): Promise<Revision> {
    const { cold, runtime } = this.#context;
    // Whatever becomes of the put, the source is closed.
    const stored = await cold.put(projectId, zip.content, { signal }).finally(() => { zip.content.destroy(); });
    const count = await zip.count;
    await verifyStored(this.#context, projectId, stored);
    const now = runtime.now();
    try {
      return await recordRevision(this.#context, { projectId, sha256: stored.sha256, bytes: stored.bytes, files: count.files, contentBytes: count.contentBytes, reason, createdAt: now, verifiedAt: now, leftOut }, null);
    } catch (error) {
      // Verified and recorded, only its manifest is missing, which housekeeping writes: the project is there, so this did not fail.
      const head = this.#context.store.projects.get(projectId)?.head ?? null;
      if (head === null) throw error;
      runtime.log(`manifest of the first revision of ${projectId}: ${VesselError.from(error).message}`);
      return head;
    }
  }

  async update(projectId: string, patch: { readonly name?: string | undefined; readonly settings?: ProjectSettingsPatch | undefined }): Promise<Project> {
    const { store, runtime, feed } = this.#context;
    const record = this.record(projectId);
    store.projects.update(projectId, {
      ...(patch.name === undefined ? {} : { name: patch.name }),
      ...(patch.settings === undefined ? {} : { settings: { ...record.settings, ...given(patch.settings) } }),
    }, runtime.now());
    const environment = store.environments.get(projectId);
    // By other rules the workspace may hold what no save has looked at.
    if (environment !== null && JSON.stringify(record.settings.exclude) !== JSON.stringify(this.record(projectId).settings.exclude)) store.environments.put({ ...environment, savedCounter: null, dirty: true });
    // The manifest of the head carries name and settings, so that a rebuilt list shows the present ones.
    if (record.head !== null) await writeManifest(this.#context, record.head);
    feed.project(projectId);
    return this.get(projectId);
  }

  /** Throws ILLEGAL_TRANSITION while the environment runs and BUSY while something works on it. */
  delete(projectId: string): Project {
    const { store, runtime, feed } = this.#context;
    const { environment } = this.record(projectId);
    requireResting(this.#context, projectId, environment?.state ?? null);
    store.projects.update(projectId, { deletedAt: runtime.now() }, runtime.now());
    audit(this.#context, { kind: 'project.deleted', projectId, text: 'Deleted; it can be brought back for 30 days' });
    feed.project(projectId);
    return this.get(projectId);
  }

  undelete(projectId: string): Project {
    const { store, runtime, feed } = this.#context;
    this.record(projectId);
    store.projects.update(projectId, { deletedAt: null }, runtime.now());
    audit(this.#context, { kind: 'project.undeleted', projectId, text: 'Brought back' });
    feed.project(projectId);
    return this.get(projectId);
  }

  /** Removes for good what has been deleted for longer than the grace time, and first saves that never came to be. */
  async purge(): Promise<readonly string[]> {
    const purged: string[] = [];
    for (const record of this.#context.store.projects.list(true)) {
      const unborn = record.head === null && record.environment === null;
      if (!unborn && !isPurgeable(record.deletedAt, this.#context.runtime.now())) continue;
      if (unborn && (this.#making.has(record.id) || this.#context.operations.active(record.id, null) !== null)) continue;
      await this.#forget(record.id);
      audit(this.#context, { kind: 'project.purged', projectId: record.id, text: unborn ? `"${record.name}" was never finished` : `"${record.name}" was deleted over 30 days ago` });
      purged.push(record.id);
    }
    return purged;
  }

  async #forget(projectId: string): Promise<void> {
    this.#context.store.projects.remove(projectId);
    this.#context.feed.projectRemoved(projectId);
    await this.#context.cold.removeProject(projectId);
  }

  /** Removes a project whose import failed. */
  async abandon(projectId: string): Promise<void> {
    const record = this.#context.store.projects.get(projectId);
    if (record !== null && record.head === null) await this.#forget(projectId);
  }
}

/** Throws ILLEGAL_TRANSITION unless nothing of the project runs, BUSY while an operation works on it. */
export function requireResting(context: ServiceContext, projectId: string, state: string | null): void {
  if (state !== null && state !== 'destroyed' && state !== 'error') throw new VesselError('ILLEGAL_TRANSITION', `The environment is ${state}`, { hint: 'Save & Exit it first.', details: { projectId, state } });
  const active = context.operations.active(projectId, null);
  if (active !== null) throw new VesselError('BUSY', `"${active.title}" is still working on this project`, { details: { operationId: active.id } });
}

/** Only the fields that were given: zod's optional fields may be present and undefined. */
function given(patch: ProjectSettingsPatch): Partial<ProjectSettings> {
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined));
}
