import type { Readable } from 'node:stream';
import type { TopFolder } from '#shared/archive-rules.ts';
import type { ArchiveOptions, ImportedZip } from '../ports/archiver.ts';
import { audit, type ServiceContext } from './context.ts';
import type { StepContext } from './operations/definition.ts';
import type { Projects } from './projects.ts';

export type StartedImport = { readonly projectId: string; readonly operationId: string };
type ImportState = { rev: number | null };
/** How many left-out things the log names one by one; the revision has them all. */
const LEFT_OUT_SHOWN = 20;

/** Zips and folders from elsewhere become projects. */
export class Imports {
  readonly #context: ServiceContext;
  readonly #projects: Projects;

  constructor(context: ServiceContext, projects: Projects) {
    this.#context = context;
    this.#projects = projects;
  }

  /** From a path on this computer: a zip file or a folder. Throws NOT_FOUND, BAD_REQUEST for a relative path. */
  async fromPath(given: string, name: string | undefined, hostId: string, topFolder: TopFolder): Promise<StartedImport> {
    const { files, archiver, store } = this.#context;
    const path = files.absolute(given);
    const kind = await files.kind(path);
    const title = name ?? (files.baseName(path).slice(0, 80) || 'Imported');
    return this.#start(title, hostId, { call: 'projects.import', input: { path, name, hostId, topFolder } }, (options) => (
      kind === 'folder' ? archiver.importFolder(path, store.settings.get().defaults.exclude, options) : archiver.importZip(path, { ...options, topFolder })
    ), null);
  }

  /** From an upload; returns once it is here, the checks follow in the operation. */
  async fromUpload(content: Readable, name: string, hostId: string, topFolder: TopFolder, signal: AbortSignal): Promise<StartedImport> {
    const { maxArchiveBytes } = this.#context.store.settings.get().limits;
    const spooled = await this.#context.files.spool(content, { signal, maxBytes: maxArchiveBytes });
    try {
      return this.#start(name, hostId, null, (options) => this.#context.archiver.importZip(spooled.path, { ...options, topFolder }), () => spooled.remove());
    } catch (error) {
      await spooled.remove();
      throw error;
    }
  }

  #start(name: string, hostId: string, request: { readonly call: string; readonly input: unknown } | null, make: (options: ArchiveOptions) => Promise<ImportedZip>, cleanUp: (() => Promise<void>) | null): StartedImport {
    const projectId = this.#projects.insert({ name, template: null, hostId, settings: {} });
    const { operationId } = this.#context.operations.start<ImportState>({
      kind: 'import', title: `Import ${name}`, projectId, hostId, cancellable: true, request, state: { rev: null },
      steps: [
        { id: 'import', title: 'Check and store the content', weight: 1, run: async (step) => {
          try {
            return await this.#run(projectId, step, make);
          } finally {
            await cleanUp?.();
          }
        } },
      ],
      result: ({ rev }) => ({ projectId, rev }),
      onFailure: async () => { await this.#projects.abandon(projectId); },
    });
    return { projectId, operationId };
  }

  async #run(projectId: string, { state, signal, progress, log, operationId }: StepContext<ImportState>, make: (options: ArchiveOptions) => Promise<ImportedZip>): Promise<string> {
    const { limits } = this.#context.store.settings.get();
    const zip = await make({ ...limits, signal, onProgress: (bytes) => progress(Math.min(0.9, bytes / (bytes + 50_000_000)), `${Math.round(bytes / 1_000_000)} MB`) });
    for (const note of zip.notes) log(note);
    for (const item of zip.leftOut.slice(0, LEFT_OUT_SHOWN)) log(`Left out: ${item.path} (${item.reason})`);
    if (zip.leftOut.length > LEFT_OUT_SHOWN) log(`Left out: ${zip.leftOut.length - LEFT_OUT_SHOWN} more`);
    const revision = await this.#projects.firstRevision(projectId, zip, 'import', signal, [...zip.leftOut]);
    state.rev = revision.rev;
    audit(this.#context, { kind: 'project.imported', projectId, operationId, text: `Imported ${revision.files} files` });
    return `${revision.files} files`;
  }
}
