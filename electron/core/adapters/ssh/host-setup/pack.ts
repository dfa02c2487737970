import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';

/** A file as it is sent: content is named by its hash, so that an upload can go on where it broke. */
export type Parcel = { readonly path: string; readonly bytes: number; readonly sha256: string };
export type PackedParcel = Parcel & { /** Of what is inside. */ readonly unpackedSha256: string };

const NoteSchema = z.object({ bytes: z.number(), sha256: z.string(), unpackedSha256: z.string() });
const under = new Map<string, Promise<PackedParcel>>();

/**
 * Compresses `content` into `path`, once: the file and a note of its hashes are kept, because a compressor need not give the same
 * bytes twice and a broken upload goes on only with the same ones. Callers at the same time share the work.
 */
export function packOnce(path: string, content: () => Readable, compressor: () => NodeJS.ReadWriteStream, signal: AbortSignal | undefined): Promise<PackedParcel> {
  const running = under.get(path);
  if (running !== undefined) return running;
  const work = pack(path, content, compressor, signal).finally(() => under.delete(path));
  under.set(path, work);
  return work;
}

/** What was packed before, or null. */
export async function packedBefore(path: string): Promise<PackedParcel | null> {
  try {
    const note = NoteSchema.parse(JSON.parse(await readFile(`${path}.json`, 'utf8')));
    return (await stat(path)).size === note.bytes ? { path, ...note } : null;
  } catch (error) {
    // Missing or torn: it is packed anew.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError || error instanceof z.ZodError) return null;
    throw error;
  }
}

async function pack(path: string, content: () => Readable, compressor: () => NodeJS.ReadWriteStream, signal: AbortSignal | undefined): Promise<PackedParcel> {
  const before = await packedBefore(path);
  if (before !== null) return before;
  await mkdir(dirname(path), { recursive: true, mode: 0o711 });
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    const inside = meter();
    const outside = meter();
    await pipeline([content(), inside.stream, compressor(), outside.stream, createWriteStream(temporary, { mode: 0o600 })], signal === undefined ? {} : { signal });
    const parcel = { bytes: outside.bytes(), sha256: outside.digest(), unpackedSha256: inside.digest() };
    await rename(temporary, path);
    await writeFile(`${path}.json`, JSON.stringify(parcel));
    return { path, ...parcel };
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** A file as it is. */
export async function parcelOf(path: string): Promise<Parcel> {
  const hash = meter();
  hash.stream.resume();
  await pipeline(createReadStream(path), hash.stream);
  return { path, bytes: hash.bytes(), sha256: hash.digest() };
}

function meter(): { readonly stream: Transform; digest(): string; bytes(): number } {
  const hash = createHash('sha256');
  let bytes = 0;
  const stream = new Transform({ transform(chunk: Buffer, _encoding, done) { hash.update(chunk); bytes += chunk.length; done(null, chunk); } });
  return { stream, digest: () => hash.digest('hex'), bytes: () => bytes };
}
