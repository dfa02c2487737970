import type { Readable } from 'node:stream';
import type { LeftOut } from '#shared/archive-rules.ts';
import { VesselError } from '#shared/errors.ts';
import type { ZipInTheMaking } from '../ports/archiver.ts';
import { audit, type ServiceContext } from './context.ts';
import type { StepContext } from './operations/definition.ts';
import type { Projects } from './projects.ts';

export type StartedImport = { readonly projectId: string; readonly operationId: string };
type ImportState = { rev: number | null };
type Made = ZipInTheMaking & { readonly leftOut?: readonly LeftOut[] };

/** Zips and folders from elsewhere become projects. */
export class Imports {
  readonly #context: ServiceContext;
  readonly #projects: Projects;

  constructor(context: ServiceContext, projects: Projects) {
    this.#context = context;
    this.#projects = projects;
  }

  /** From a path on this computer: a zip file or a folder. Throws NOT_FOUND. */
  async fromPath(path: string, name: string | undefined, hostId: string): Promise<StartedImport> {
    const { files, archiver, store } = this.#context;
    const kind = await files.kind(path);
    const title = name ?? (files.baseName(path).slice(0, 80) || 'Imported');
    return this.#start(title, hostId, { call: 'projects.import', input: { path, name, hostId } }, (options) => (
      kind === 'folder' ? archiver.importFolder(path, store.settings.get().defaults.exclude, options) : archiver.importZip(path, options)
    ), null);
  }

  /** From an upload; returns once it is here, the checks follow in the operation. */
  async fromUpload(content: Readable, name: string, hostId: string, signal: AbortSignal): Promise<StartedImport> {
    const { maxArchiveBytes } = this.#context.store.settings.get().limits;
    const spooled = await this.#context.files.spool(content, { signal, maxBytes: maxArchiveBytes });
    try {
      return this.#start(name, hostId, null, (options) => this.#context.archiver.importZip(spooled.path, options), () => spooled.remove());
    } catch (error) {
      await spooled.remove();
      throw error;
    }
  }

  #start(name: string, hostId: string, request: { readonly call: string; readonly input: unknown } | null, make: (options: Parameters<ServiceContext['archiver']['importZip']>[1]) => Promise<Made>, cleanUp: (() => Promise<void>) | null): StartedImport {
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

  async #run(projectId: string, { state, signal, progress, log, operationId }: StepContext<ImportState>, make: (options: Parameters<ServiceContext['archiver']['importZip']>[1]) => Promise<Made>): Promise<string> {
    const { limits } = this.#context.store.settings.get();
    const zip = await make({ ...limits, signal, onProgress: (bytes) => progress(Math.min(0.9, bytes / (bytes + 50_000_000)), `${Math.round(bytes / 1_000_000)} MB`) });
    const leftOut = [...(zip.leftOut ?? [])];
    for (const item of leftOut.slice(0, 20)) log(`Left out: ${item.path} (${item.reason})`);
    const revision = await this.#projects.firstRevision(projectId, zip, 'import', signal, leftOut);
    if (revision.files === 0 && revision.contentBytes === 0) throw new VesselError('BAD_REQUEST', 'There is nothing to import in there');
    state.rev = revision.rev;
    audit(this.#context, { kind: 'project.imported', projectId, operationId, text: `Imported ${revision.files} files` });
    return `${revision.files} files`;
  }
}
