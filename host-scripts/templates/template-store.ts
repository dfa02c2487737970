import { createHash } from 'node:crypto';
import { readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import { TierSchema } from '#shared/project.ts';
import { readFileOrNull, writeFileAtomic } from '../system/atomic-file.ts';
import { errnoOf } from '../system/errno.ts';

/** What a template knows of itself. Mode 0600: the token opens every clone until it has its identity. */
export const TemplateMetaSchema = z.object({
  key: z.string(),
  tier: TierSchema,
  imageKey: z.string(),
  bootstrapToken: z.string().min(32),
  builtAt: z.number(),
  buildMs: z.number(),
  stateSha256: z.string(),
  memory: z.object({ bytes: z.number(), modifiedMs: z.number(), allocatedBytes: z.number() }),
  diskBytes: z.number(),
});
export type TemplateMeta = z.infer<typeof TemplateMetaSchema>;

export const TEMPLATE_FILES = { memory: 'mem', state: 'state', disk: 'disk.qcow2', overlay: 'overlay.qcow2', meta: 'meta.json' } as const;
/** `overlay` is whatever small file a driver gives each clone besides. */
export type TemplateFiles = { readonly [name in keyof typeof TEMPLATE_FILES]: string };
export type Template = { readonly meta: TemplateMeta; readonly directory: string };
export type Lookup = { readonly template: Template } | { readonly template: null; readonly why: string };

const KEY_PATTERN = /^[0-9a-f]{24}$/;
export const BUILDING_MARK = '.building-';

const BLOCK_BYTES = 512;

/** What is written down of a finished template. */
export async function templateMeta(store: Pick<TemplateStore, 'files'>, folder: string, given: Pick<TemplateMeta, 'key' | 'tier' | 'imageKey' | 'bootstrapToken'>, startedAt: number): Promise<TemplateMeta> {
  const at = (name: keyof TemplateFiles): string => join(folder, store.files[name]);
  const [memory, disk, state] = await Promise.all([stat(at('memory')), stat(at('disk')), readFile(at('state'))]);
  return {
    ...given, builtAt: Date.now(), buildMs: Date.now() - startedAt, stateSha256: createHash('sha256').update(state).digest('hex'),
    memory: { bytes: memory.size, modifiedMs: memory.mtimeMs, allocatedBytes: memory.blocks * BLOCK_BYTES }, diskBytes: disk.size,
  };
}

/** Templates of this host: `<cache>/templates/<key>/`, immutable once they have that name. */
export class TemplateStore {
  readonly root: string;
  readonly files: TemplateFiles;
  constructor(root: string, files: TemplateFiles = TEMPLATE_FILES) {
    this.root = root;
    this.files = files;
  }

  directory(key: string): string {
    return join(this.root, key);
  }

  lockPath(key: string): string {
    return join(this.root, `.${key}.lock`);
  }

  /** The template of that key if every file is as it was when it was frozen; otherwise why it cannot be used. */
  async lookup(key: string): Promise<Lookup> {
    const directory = this.directory(key);
    const text = await readFileOrNull(join(directory, this.files.meta));
    if (text === null) return { template: null, why: 'there is none' };
    try {
      const meta = TemplateMetaSchema.parse(JSON.parse(text));
      const [memory, state, disk] = await Promise.all([
        stat(join(directory, this.files.memory)), readFile(join(directory, this.files.state)), stat(join(directory, this.files.disk)), stat(join(directory, this.files.overlay)),
      ]);
      const wrong = [
        meta.key === key ? null : 'its key is another',
        memory.size === meta.memory.bytes && memory.mtimeMs === meta.memory.modifiedMs ? null : 'its memory was changed',
        createHash('sha256').update(state).digest('hex') === meta.stateSha256 ? null : 'its state was changed',
        disk.size === meta.diskBytes ? null : 'its disk was changed',
      ].filter((reason) => reason !== null);
      return wrong.length === 0 ? { template: { meta, directory } } : { template: null, why: wrong.join(', ') };
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' && !(error instanceof SyntaxError) && !(error instanceof z.ZodError)) throw error;
      return { template: null, why: `it is damaged (${VesselError.from(error).message.split('\n')[0]})` };
    }
  }

  /** Makes a finished folder the template of its key, in place of a damaged one. */
  async publish(building: string, meta: TemplateMeta): Promise<void> {
    await writeFileAtomic(join(building, this.files.meta), `${JSON.stringify(meta)}\n`, { mode: 0o600, durable: true });
    await this.discard(meta.key);
    await rename(building, this.directory(meta.key));
  }

  /** Takes a template away. Clones that map its files keep them: the kernel frees a file with its last user. */
  async discard(key: string): Promise<void> {
    const grave = join(this.root, `${key}.discarded-${process.pid}-${Date.now()}`);
    try {
      await rename(this.directory(key), grave);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return;
      throw error;
    }
    await rm(grave, { recursive: true, force: true });
  }

  async keys(): Promise<readonly string[]> {
    return (await this.#names()).filter((name) => KEY_PATTERN.test(name));
  }

  /** Folders of interrupted builds and removals. */
  async leftovers(): Promise<readonly string[]> {
    return (await this.#names()).filter((name) => name.includes(BUILDING_MARK) || name.includes('.discarded-')).map((name) => join(this.root, name));
  }

  async #names(): Promise<readonly string[]> {
    try {
      return await readdir(this.root);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    }
  }
}
