import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { VesselError } from '#shared/errors.ts';
import type { StoredArchive } from '../../ports/cold-store.ts';
import type { RemoteArchives, TransferOptions } from '../../ports/remote-store.ts';
import { isErrno, storeError, syncFolder } from '../cold-local/files.ts';
import { hashFile, writeHashed } from '../cold-local/write-hashed.ts';
import { spooledPut } from '../remote/spooled-put.ts';
import { openAge, plainBytes, sealAge } from './age-file.ts';
import type { ArchiveKey } from './archive-key.ts';
import { locked, isSealed, type SealedView } from './sealed-view.ts';

const READ_BYTES = 256 * 1024;
type File = { readonly path: string; readonly sha256: string; readonly bytes: number };
const corrupt = (projectId: string, sha256: string, cause?: unknown): VesselError => new VesselError('ARCHIVE_CORRUPT', 'The encrypted archive in the cloud is not the one that was saved', { ...(cause === undefined ? {} : { cause }), details: { projectId, expected: sha256 } });
const is = (error: unknown, ...codes: readonly string[]): boolean => codes.includes(VesselError.from(error).code);

/**
 * Archives that lie encrypted in a back end, seen as what they are: named, hashed and read by their plain content. The object's name is
 * the hash of its ciphertext, so that everything the back end checks goes on holding; the plain hash is checked after opening. The
 * same content always becomes the same ciphertext (the key makes its secrets from the hash), so an upload that was cut goes on with it.
 */
export function makeSealedArchives(view: SealedView): RemoteArchives & { seal(key: ArchiveKey, projectId: string, file: File, options: TransferOptions): Promise<StoredArchive> } {
  const { archives } = view.inner;
  const seal = async (key: ArchiveKey, projectId: string, file: File, options: TransferOptions): Promise<StoredArchive> => {
    const path = join(view.spool, `seal-${process.pid}-${crypto.randomUUID()}`);
    await mkdir(view.spool, { recursive: true, mode: 0o700 });
    const hash = createHash('sha256');
    const source = createReadStream(file.path, { highWaterMark: READ_BYTES });
    try {
      const hashed = async function* (): AsyncGenerator<Buffer, void> { for await (const chunk of source as AsyncIterable<Buffer>) { hash.update(chunk); yield chunk; } };
      const written = await writeHashed(path, Readable.from(sealAge(hashed(), key.recipient, key.fileSecrets(projectId, file.sha256)), { objectMode: false }), options.signal);
      // Other content under the same secrets would betray both: what does not match its name is not sealed.
      if (hash.digest('hex') !== file.sha256) throw new VesselError('ARCHIVE_CORRUPT', 'The archive is not the one that was to be sent', { details: { projectId, expected: file.sha256 } });
      const stored = await archives.upload(projectId, { path, ...written }, options);
      view.remember(projectId, file.sha256, key.id, written.sha256);
      return { key: stored.key, sha256: file.sha256, bytes: file.bytes };
    } catch (error) {
      throw storeError(error);
    } finally {
      source.destroy();
      await rm(path, { force: true });
    }
  };
  /** Hashes of ciphertext that may hold a content, with the key of each: as remembered, and as recorded. */
  const sealedNames = async function* (projectId: string, sha256: string): AsyncGenerator<{ readonly name: string; readonly key: ArchiveKey }, void> {
    const told = new Set<string>();
    const remembered = async function* (): AsyncGenerator<{ readonly name: string; readonly key: ArchiveKey }, void> {
      for (const one of view.namesOf(projectId)) {
        const key = one.sha256 === sha256 && !told.has(one.name) ? await view.key(one.keyId) : null;
        if (key !== null) { told.add(one.name); yield { name: one.name, key }; }
      }
    };
    yield* remembered();
    await view.rowsOf(projectId); // remembers what is recorded
    yield* remembered();
  };
  /** Does something with a content in whichever form it lies there, the wanted form first. `missing`: codes by which the plain one says that it is not there. */
  const either = async <T>(projectId: string, sha256: string, missing: readonly string[], sealed: (name: string, key: ArchiveKey) => Promise<T>, plain: () => Promise<T>): Promise<T> => {
    const policy = await view.policy();
    const trySealed = async (): Promise<{ readonly value: T } | null> => {
      for await (const { name, key } of sealedNames(projectId, sha256)) {
        try {
          return { value: await sealed(name, key) };
        } catch (error) {
          if (!is(error, 'NOT_FOUND')) throw error;
        }
      }
      return null;
    };
    const sealedFirst = policy?.enabled === true;
    const first = sealedFirst ? await trySealed() : null;
    if (first !== null) return first.value;
    try {
      return await plain();
    } catch (error) {
      if (!is(error, ...missing)) throw error;
      // Where encryption was never on, rows may still be sealed: with a key of before the account was emptied.
      const second = sealedFirst ? null : await trySealed();
      if (second === null && policy !== null && policy.key === null) throw locked();
      if (second === null) throw error;
      return second.value;
    }
  };

  const store: RemoteArchives = {
    async upload(projectId, file, options) {
      const key = await view.sealingKey(true);
      return key === null ? archives.upload(projectId, file, options) : seal(key, projectId, file, options);
    },
    put: (projectId, content, { signal }) => spooledPut(view.spool, content, signal, (file) => store.upload(projectId, file, signal === undefined ? {} : { signal })),
    readBack: (projectId, sha256, options) => either(projectId, sha256, ['ARCHIVE_CORRUPT'], async (name, key) => {
      const cipher = createHash('sha256');
      const plain = createHash('sha256');
      let bytes = 0;
      const source = await archives.open(projectId, name);
      const hashed = async function* (): AsyncGenerator<Buffer, void> { for await (const chunk of source as AsyncIterable<Buffer>) { cipher.update(chunk); yield chunk; } };
      try {
        for await (const chunk of openAge(hashed(), key.identity)) {
          if (options?.signal?.aborted === true) throw new VesselError('CANCELLED');
          plain.update(chunk);
          bytes += chunk.length;
        }
      } catch (error) {
        throw is(error, 'ENCRYPTION_WRONG_KEY') ? corrupt(projectId, sha256, error) : error;
      } finally {
        source.destroy();
      }
      if (cipher.digest('hex') !== name) throw corrupt(projectId, sha256);
      return { sha256: plain.digest('hex'), bytes };
    }, () => archives.readBack(projectId, sha256, options)),
    open: (projectId, sha256) => either(projectId, sha256, ['NOT_FOUND'], async (name, key) => {
      const source = await archives.open(projectId, name);
      const stream = Readable.from(openAge(source, key.identity), { objectMode: false, highWaterMark: READ_BYTES });
      stream.once('close', () => source.destroy());
      return stream;
    }, () => archives.open(projectId, sha256)),
    download: (projectId, sha256, path, options) => either(projectId, sha256, ['NOT_FOUND'], async (name, key) => {
      const sealed = `${path}.sealed`;
      const opening = `${path}.opening`;
      const there = await hashFile(sealed).catch((error: unknown) => { if (isErrno(error, 'ENOENT')) return null; throw storeError(error); });
      const { key: objectKey } = there?.sha256 === name ? { key: '' } : await archives.download(projectId, name, sealed, options);
      try {
        await rm(opening, { force: true });
        const { bytes, sha256: found } = await writeHashed(opening, Readable.from(openAge(createReadStream(sealed, { highWaterMark: READ_BYTES }), key.identity), { objectMode: false }), options.signal);
        if (found !== sha256) throw corrupt(projectId, sha256);
        await rename(opening, path);
        await syncFolder(dirname(path));
        await rm(sealed, { force: true });
        return { key: objectKey, sha256, bytes };
      } catch (error) {
        await rm(opening, { force: true });
        if (!is(error, 'CANCELLED')) await rm(sealed, { force: true });
        throw storeError(error);
      }
    }, () => archives.download(projectId, sha256, path, options)),
    localPath: () => null,
    async remove(projectId, sha256) {
      const remembered = view.namesOf(projectId).filter((one) => one.sha256 === sha256);
      if (remembered.length === 0 && await view.policy() === null) { await archives.remove(projectId, sha256); return; }
      const rows = await view.rowsOf(projectId);
      const used = new Set(rows.map(({ row }) => row.sha256));
      const names = new Set([sha256, ...view.namesOf(projectId).filter((one) => one.sha256 === sha256).map(({ name }) => name)]);
      for (const name of names) if (!used.has(name)) await archives.remove(projectId, name);
      if (!rows.some(({ row, archive }) => isSealed(row) && archive.sha256 === sha256)) for (const { keyId } of remembered) view.forgetName(projectId, sha256, keyId);
    },
    async list(projectId) {
      const found = await archives.list(projectId);
      if (await view.policy() !== null) await view.rowsOf(projectId);
      const plainOf = new Map(view.namesOf(projectId).map(({ name, sha256 }) => [name, sha256]));
      // What no row and no memory names is told as it lies there.
      return found.map((stored) => { const plain = plainOf.get(stored.sha256); return plain === undefined ? stored : { ...stored, sha256: plain, bytes: plainBytes(stored.bytes) }; });
    },
    async removeProject(projectId) { await archives.removeProject(projectId); view.forgetNames(projectId); },
  };
  return { ...store, seal };
}
