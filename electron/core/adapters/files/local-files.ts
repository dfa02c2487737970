import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, extname, isAbsolute, join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { VesselError } from '#shared/errors.ts';
import { expandHome } from '#shared/paths.ts';
import type { LocalFiles } from '../../ports/archiver.ts';
import { isErrno, storeError, syncFolder } from '../cold-local/files.ts';
import { writeHashed } from '../cold-local/write-hashed.ts';

/** The last bytes are kept back until the hash of all is known; more than any zip's end record, so a cut archive is unreadable. */
const WITHHELD_BYTES = 64 * 1024;

/** Removes the uploads that a crash cut off. Only while no upload can be under way. */
export const sweepSpool = (spoolRoot: string): Promise<void> => rm(spoolRoot, { recursive: true, force: true });

/** Files of this computer; uploads are spooled below `spoolRoot`. */
export function makeLocalFiles(spoolRoot: string): LocalFiles {
  return {
    absolute(path) {
      const expanded = expandHome(path, homedir());
      if (!isAbsolute(expanded)) throw new VesselError('BAD_REQUEST', `"${path}" is not an absolute path`, { hint: 'Give the whole path, like /home/you/project or ~/project.', details: { path } });
      return expanded;
    },
    async kind(path) {
      if (!isAbsolute(path)) throw new VesselError('BAD_REQUEST', 'The path must be absolute', { details: { path } });
      try {
        const found = await stat(path);
        if (found.isDirectory()) return 'folder';
        if (found.isFile()) return 'file';
        throw new VesselError('BAD_REQUEST', 'That path is neither a file nor a folder', { details: { path } });
      } catch (error) {
        if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) throw new VesselError('NOT_FOUND', `There is nothing at ${path}`, { details: { path }, cause: error });
        throw storeError(error);
      }
    },
    baseName: (path) => basename(path, extname(path)),

    async write(path, content, { signal, expectSha256 }) {
      if (!isAbsolute(path)) throw new VesselError('BAD_REQUEST', 'The path must be absolute', { details: { path } });
      const temporary = join(dirname(path), `.${basename(path)}.${crypto.randomUUID().slice(0, 8)}.part`);
      try {
        const written = await writeHashed(temporary, content, signal);
        if (expectSha256 !== null && written.sha256 !== expectSha256) throw new VesselError('ARCHIVE_CORRUPT', undefined, { details: { expected: expectSha256, found: written.sha256 } });
        await rename(temporary, path);
        await syncFolder(dirname(path));
        return { ...written, path };
      } catch (error) {
        await rm(temporary, { force: true });
        throw storeError(error);
      } finally {
        content.destroy();
      }
    },

    async freshFolder(path) {
      if (!isAbsolute(path)) throw new VesselError('BAD_REQUEST', 'The path must be absolute', { details: { path } });
      try {
        await mkdir(path, { recursive: true, mode: 0o700 });
        if ((await readdir(path)).length > 0) throw new VesselError('CONFLICT', `${path} is not empty`, { retryable: false, hint: 'Choose a folder that is empty or does not exist.', details: { path } });
      } catch (error) {
        throw storeError(error);
      }
    },
    async writeText(path, text) {
      try {
        await writeFile(path, text, { mode: 0o600, flag: 'wx' });
      } catch (error) {
        throw storeError(error);
      }
    },

    async spool(content, { signal, maxBytes }) {
      await mkdir(spoolRoot, { recursive: true, mode: 0o700 });
      const folder = await mkdtemp(join(spoolRoot, 'upload-'));
      const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
      try {
        const path = join(folder, 'upload.zip');
        await writeHashed(path, content.pipe(limited(maxBytes)), signal);
        return { path, remove };
      } catch (error) {
        await remove();
        throw storeError(error);
      } finally {
        content.destroy();
      }
    },

    guarded(content, sha256, onProgress) { return content.pipe(guard(sha256, onProgress)).on('close', () => content.destroy()) as Readable; },
  };
}

function limited(maxBytes: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > maxBytes) done(new VesselError('ARCHIVE_TOO_LARGE', `The upload is larger than ${maxBytes} bytes`));
      else done(null, chunk);
    },
  });
}

function guard(sha256: string, onProgress: (bytes: number) => void): Transform {
  const hash = createHash('sha256');
  let held: Buffer = Buffer.alloc(0);
  let bytes = 0;
  return new Transform({
    highWaterMark: 1024 * 1024,
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      onProgress(bytes);
      const all = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const pass = Math.max(0, all.length - WITHHELD_BYTES);
      held = all.subarray(pass);
      done(null, pass > 0 ? all.subarray(0, pass) : undefined);
    },
    flush(done) {
      const found = hash.digest('hex');
      if (found !== sha256) done(new VesselError('ARCHIVE_CORRUPT', 'The archive in the store is not the one that was verified', { details: { expected: sha256, found } }));
      else done(null, held);
    },
  });
}
