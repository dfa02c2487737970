import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { VesselError } from '#shared/errors.ts';
import type { ConvertOptions } from '../../ports/encryption.ts';
import type { RemoteArchive, RemoteArchives } from '../../ports/remote-store.ts';
import { hashFile } from '../cold-local/write-hashed.ts';
import { AGE_MAGIC } from './age-file.ts';
import type { ArchiveKey } from './archive-key.ts';
import { inOrder, keyIdOfArchive, keyIdOfProject, sealArchive, sealProject } from './sealed-rows.ts';
import { isSealed, locked, type SealedView } from './sealed-view.ts';
import { sealedBytes } from './age-file.ts';
import type { makeSealedArchives } from './sealed-archives.ts';

/** Attempts at a project to which other devices write meanwhile. */
const MAX_ROUNDS = 20;
type Rows = Awaited<ReturnType<SealedView['rowsOf']>>;
type Parts = { readonly view: SealedView; readonly archives: ReturnType<typeof makeSealedArchives> };

/** How many revisions of a project are in the wanted form, and what else is to do: rows of the other form, and the project's own. */
export async function surveyProject(view: SealedView, projectId: string, rows: Rows, toSealed: boolean): Promise<{ readonly todo: number; readonly done: number }> {
  const row = await view.inner.index.project(projectId);
  const facts = row !== null && (keyIdOfProject(row) !== null) !== toSealed ? 1 : 0;
  const wrong = rows.filter((one) => isSealed(one.row) !== toSealed).length;
  return { todo: wrong + facts, done: rows.length - wrong };
}

/**
 * Brings one project into the wanted form. The order makes every stop harmless: the new form of each revision is uploaded, read back and
 * recorded; then one compare-and-swap moves the project to it; then objects of the old form go, and their rows last, because they are
 * what tells a later attempt that there is something left to do.
 */
export async function convertProject({ view, archives }: Parts, key: ArchiveKey, toSealed: boolean, projectId: string, options: ConvertOptions): Promise<number> {
  const { index } = view.inner;
  let converted = 0;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    options.signal.throwIfAborted();
    const all = await index.archives(projectId);
    for (const keyId of new Set(all.map(keyIdOfArchive))) if (keyId !== null && await view.key(keyId) === null) throw locked();
    const rows = await view.rowsOf(projectId);
    const ready = new Set(rows.filter(({ row }) => isSealed(row) === toSealed).map(({ archive }) => archive.id));
    for (const archive of inOrder(rows.map((one) => one.archive))) {
      if (ready.has(archive.id)) continue;
      await sendOther({ view, archives }, key, toSealed, archive, options);
      options.fault('encrypt.recorded');
      converted += 1;
      options.onArchive();
    }
    if (!await swapProject(view, key, toSealed, projectId)) continue;
    options.fault('encrypt.swapped');
    if (await removeOther(view, toSealed, projectId, options)) return converted;
  }
  throw new VesselError('CLOUD_FAILED', 'Other devices keep writing to this project');
}

/** Uploads, verifies and records one revision in its new form. */
async function sendOther({ view, archives }: Parts, key: ArchiveKey, toSealed: boolean, archive: RemoteArchive, options: ConvertOptions): Promise<void> {
  const { projectId, sha256, bytes } = archive;
  const { inner } = view;
  await withFile(archives, view.spool, projectId, sha256, options, async (path) => {
    if (toSealed) await archives.seal(key, projectId, { path, sha256, bytes }, { signal: options.signal });
    else await inner.archives.upload(projectId, { path, sha256, bytes }, { signal: options.signal });
  });
  options.fault('encrypt.uploaded');
  const name = toSealed ? view.nameOf(projectId, sha256, key.id) : sha256;
  if (name === null) throw new VesselError('INTERNAL', 'A sealed archive has no name');
  const found = await inner.archives.readBack(projectId, name, { signal: options.signal });
  if (found.sha256 !== name) {
    await inner.archives.remove(projectId, name);
    throw new VesselError('CLOUD_FAILED', 'The archive did not read back the same from the cloud', { details: { expected: name, found: found.sha256 } });
  }
  options.fault('encrypt.verified');
  await inner.index.insertArchive(toSealed ? sealArchive(key, archive, { sha256: name, bytes: sealedBytes(bytes) }) : archive);
}

/** The content as a file: the one of this computer when it is sound, else fetched for as long as it is needed. */
async function withFile(archives: RemoteArchives, spool: string, projectId: string, sha256: string, { localPath, signal }: ConvertOptions, work: (path: string) => Promise<void>): Promise<void> {
  const local = localPath(projectId, sha256);
  if (local !== null && (await hashFile(local).catch(() => null))?.sha256 === sha256) { await work(local); return; } // a missing or unreadable file is fetched
  await mkdir(spool, { recursive: true, mode: 0o700 });
  const path = join(spool, `convert-${projectId}.${sha256}.zip`);
  await rm(path, { force: true });
  await archives.download(projectId, sha256, path, { signal });
  try {
    await work(path);
  } finally {
    await rm(path, { force: true });
  }
}

/** Moves the project's row to the new form; false when another device wrote meanwhile. */
async function swapProject(view: SealedView, key: ArchiveKey, toSealed: boolean, projectId: string): Promise<boolean> {
  const { index } = view.inner;
  const row = await index.project(projectId);
  if (row === null) return true; // removed meanwhile
  const now = await view.open(row);
  if (now.locked === true) throw locked();
  // Sealed already, with this key or an older one of the account: the row and what it points at fit each other.
  if (toSealed && keyIdOfProject(row) !== null && row.archiveId !== now.archiveId) return true;
  const pointer = now.archiveId === null ? null : toSealed ? key.remoteId(projectId, now.archiveId) : now.archiveId;
  if ((keyIdOfProject(row) !== null) === toSealed && row.archiveId === pointer) return true;
  const { name, template, settings } = toSealed ? sealProject(key, now) : now;
  return await index.swapProject(projectId, row.rev, { name, template, settings, ...(pointer === null ? {} : { archiveId: pointer }) }) !== null;
}

/** Removes the old form. False when a revision arrived in it meanwhile, or is the current one again. */
async function removeOther(view: SealedView, toSealed: boolean, projectId: string, { signal, fault }: ConvertOptions): Promise<boolean> {
  const { index, archives } = view.inner;
  const rows = await view.rowsOf(projectId);
  const old = rows.filter(({ row }) => isSealed(row) !== toSealed);
  const ready = new Set(rows.filter(({ row }) => isSealed(row) === toSealed).map(({ archive }) => archive.id));
  if (old.some(({ archive }) => !ready.has(archive.id))) return false;
  for (const name of new Set(old.map(({ row }) => row.sha256))) {
    signal.throwIfAborted();
    // The rows go last: as long as they are there, a crash leaves something that tells of unfinished work.
    await archives.remove(projectId, name, { named: true });
  }
  fault('encrypt.objects-removed');
  for (const { row } of old) if (!await index.removeArchive(projectId, row.id)) return false;
  fault('encrypt.rows-removed');
  if (!toSealed) view.forgetNames(projectId);
  const used = new Set((await index.archives(projectId)).map(({ sha256 }) => sha256));
  for (const { sha256 } of await archives.list(projectId)) {
    signal.throwIfAborted();
    // What an upload that died left without a row would stay there readable.
    if (toSealed && !used.has(sha256) && !await isCiphertext(await archives.open(projectId, sha256))) await archives.remove(projectId, sha256);
  }
  return true;
}

async function isCiphertext(content: Readable): Promise<boolean> {
  let head = Buffer.alloc(0);
  for await (const chunk of content as AsyncIterable<Buffer>) {
    head = Buffer.concat([head, chunk]);
    if (head.length >= AGE_MAGIC.length) break; // ends the stream
  }
  return head.subarray(0, AGE_MAGIC.length).equals(AGE_MAGIC);
}
