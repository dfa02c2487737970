import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createMemoryStore } from './memory-store.ts';
import type { StaticFile } from './manifest.ts';
import { writeWhole } from './write-whole.ts';

/** What one page load of VS Code reads is 20 MB; two versions of the IDE fit. */
const MEMORY_BYTES = 64 * 1024 * 1024;

export type ContentSource = {
  /** Folder of the image's static files. */
  readonly directory: string;
  /** Folder in the cache for files that only a guest could give. */
  readonly filled: string;
  /** Asks the guest for at most `bytes` bytes; null when it does not give the file. */
  readonly fetch: (bytes: number) => Promise<Buffer | null>;
};

export type ContentStore = {
  /** The file's content with the hash that the manifest promises, or null when nobody has it. */
  read(file: StaticFile, source: ContentSource): Promise<Buffer | null>;
};

/**
 * Finds content: in memory, in the image's folder, in the cache, and last in the guest that asks for it.
 *
 * Every byte is compared with the manifest's SHA-256 before it is kept or sent, whoever gave it. So a guest, which may be
 * hostile, can give what the image holds or nothing: it cannot place a file of its own in front of other environments.
 */
export function createContentStore(log: (line: string) => void): ContentStore {
  const memory = createMemoryStore(MEMORY_BYTES);
  const underWay = new Map<string, Promise<Buffer | null>>();

  const load = async (file: StaticFile, source: ContentSource): Promise<Buffer | null> => {
    const filled = join(source.filled, file.sha256);
    for (const path of [join(source.directory, file.key), filled]) {
      const content = await readIfThere(path);
      if (content === null) continue;
      if (isExactly(content, file)) return content;
      log(`gateway: ${path} does not have the content its manifest promises; it is not used`);
    }
    const given = await source.fetch(file.bytes);
    if (given === null) return null;
    if (!isExactly(given, file)) {
      log(`gateway: a guest gave other content for ${file.key} than the image holds; it is not kept`);
      return null;
    }
    await writeWhole(filled, given);
    return given;
  };

  return {
    async read(file, source) {
      const known = memory.get(file.sha256);
      if (known !== undefined) return known;
      // Six connections ask for the same big file at once; one reading is enough. Failures are shared only while under way.
      const existing = underWay.get(file.sha256);
      const work = existing ?? load(file, source).finally(() => underWay.delete(file.sha256));
      if (existing === undefined) underWay.set(file.sha256, work);
      const content = await work;
      if (content !== null) memory.set(file.sha256, content);
      return content;
    },
  };
}

const isExactly = (content: Buffer, file: StaticFile): boolean =>
  content.length === file.bytes && createHash('sha256').update(content).digest('hex') === file.sha256;

async function readIfThere(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR' || code === 'EACCES') return null;
    throw error;
  }
}
