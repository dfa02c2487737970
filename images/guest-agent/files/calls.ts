import { chownSync, closeSync, constants, createReadStream, fchmodSync, fchownSync, fstatSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import type { z } from 'zod';
import type { FileListSchema } from '#shared/guest-protocol.ts';
import { VesselError } from '#shared/vessel-error.ts';
import type { AgentConfig } from '../config.ts';
import type { CallContext } from '../http/router.ts';
import { sendJson } from '../http/respond.ts';
import { errnoOf } from '../log.ts';
import { checkRelativePath, lstatOrNull, resolveInside } from './inside.ts';

type FileList = z.infer<typeof FileListSchema>;

const pathOf = (context: CallContext): string => checkRelativePath(context.query.get('path') ?? '');

/** `GET files?path=`: a file's bytes, or a folder's list. A link is listed but never followed. */
export async function getFile(config: AgentConfig, context: CallContext): Promise<void> {
  const path = resolveInside(config.workspace, pathOf(context));
  const stat = lstatOrNull(path);
  if (stat === null) throw new VesselError('NOT_FOUND', 'there is no such file');
  if (stat.isDirectory()) {
    const list: FileList = { entries: readdirSync(path).sort().flatMap((name): FileList['entries'] => {
      const entry = lstatOrNull(join(path, name));
      if (entry === null) return [];
      const kind = entry.isFile() ? 'file' : entry.isDirectory() ? 'dir' : entry.isSymbolicLink() ? 'link' : 'other';
      return [{ name, kind, size: entry.size, mtimeMs: entry.mtimeMs }];
    }) };
    sendJson(context.response, 200, list);
    return;
  }
  if (!stat.isFile()) throw new VesselError('BAD_REQUEST', 'only files and folders can be read');
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const opened = fstatSync(fd);
  if (!opened.isFile()) {
    closeSync(fd);
    throw new VesselError('BAD_REQUEST', 'only files and folders can be read');
  }
  context.response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': opened.size, 'last-modified': opened.mtime.toUTCString(), 'cache-control': 'no-store' });
  if (opened.size === 0) {
    closeSync(fd);
    context.response.end();
    return;
  }
  await pipeline(createReadStream('', { fd, start: 0, end: opened.size - 1 }), context.response);
}

/** Makes the missing folders of `relative`, each owned by the user; an existing link on the way is checked by resolveInside. */
function makeFolders(config: AgentConfig, relative: string): void {
  const parts = relative.split('/').slice(0, -1);
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const folder = resolveInside(config.workspace, parts.slice(0, depth).join('/'));
    if (lstatOrNull(folder) !== null) continue;
    mkdirSync(folder);
    if (config.user !== null) chownSync(folder, config.user.uid, config.user.gid);
  }
}

/** `PUT files?path=`: replaces one file atomically, makes its folders, keeps its mode. */
export async function putFile(config: AgentConfig, context: CallContext): Promise<void> {
  const relative = pathOf(context);
  if (relative === '') throw new VesselError('BAD_REQUEST', 'a file name is needed');
  makeFolders(config, relative);
  const path = resolveInside(config.workspace, relative);
  const before = lstatOrNull(path);
  if (before !== null && !before.isFile()) throw new VesselError('BAD_REQUEST', 'only a file can be replaced');
  const temporary = join(dirname(path), `.vessel-${randomUUID()}.tmp`);
  const fd = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o644);
  try {
    let bytes = 0;
    for await (const chunk of context.request as AsyncIterable<Buffer>) {
      for (let offset = 0; offset < chunk.length;) offset += writeSync(fd, chunk, offset);
      bytes += chunk.length;
    }
    if (!context.request.complete) throw new VesselError('CANCELLED', 'the upload was cut off');
    fchmodSync(fd, before === null ? 0o644 : before.mode & 0o777);
    if (config.user !== null) fchownSync(fd, config.user.uid, config.user.gid);
    renameSync(temporary, path);
    sendJson(context.response, 200, { bytes });
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** `DELETE files?path=`: a file, a link, or a folder with everything in it; never the workspace itself. */
export function deleteFile(config: AgentConfig, context: CallContext): void {
  const relative = pathOf(context);
  if (relative === '') throw new VesselError('BAD_REQUEST', 'the workspace itself cannot be deleted');
  const path = resolveInside(config.workspace, relative);
  const stat = lstatOrNull(path);
  if (stat === null) throw new VesselError('NOT_FOUND', 'there is no such file');
  try {
    if (stat.isDirectory()) rmSync(path, { recursive: true });
    else unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw new VesselError('NOT_FOUND', 'there is no such file', { cause: error });
    throw error;
  }
  sendJson(context.response, 200, { deleted: true });
}
