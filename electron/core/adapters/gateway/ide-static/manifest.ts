import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { RunningRoute } from '../upstream.ts';

/** Written by the image build beside the files (docs/images.md). It is the only authority on what a static file contains. */
const ManifestSchema = z.object({
  format: z.literal(1),
  ide: z.string(),
  version: z.string(),
  commit: z.string().nullable(),
  prefixes: z.array(z.object({ urlPrefix: z.string().startsWith('/'), dir: z.string() })),
  remoteResource: z.object({ urlPath: z.string().startsWith('/'), guestRoot: z.string(), dir: z.string() }).nullable().default(null),
  absent: z.array(z.string()).default([]),
  files: z.record(z.string(), z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), bytes: z.number().int().nonnegative() })),
});
export type Manifest = z.infer<typeof ManifestSchema>;

/** One file that may be answered from the desktop. `isVersioned`: its address names the IDE's commit and never changes its meaning. */
export type StaticFile = { readonly key: string; readonly sha256: string; readonly bytes: number; readonly isVersioned: boolean };

/** The same for every environment of an image, different for every other content. */
export const manifestId = (manifest: Manifest): string => createHash('sha256').update(JSON.stringify(manifest)).digest('hex').slice(0, 16);

/** Throws when this Vessel cannot read it. */
export const parseManifest = (text: string): Manifest => ManifestSchema.parse(JSON.parse(text));

/** Throws when the folder has no manifest or one that this Vessel cannot read. */
export async function readManifest(directory: string): Promise<Manifest> {
  return parseManifest(await readFile(join(directory, 'manifest.json'), 'utf8'));
}

/** Where files lie by their content that are not in an image's own folder: asked of a guest, or fetched from a host. */
export const filledFolder = (cache: string, { ide, version, commit }: Manifest): string => join(cache, 'ide', `${ide}-${version}-${commit ?? 'none'}`);

/** The files of one image must never answer for another: name, version and, where both know it, the commit must be the same. */
export const belongsTo = (manifest: Manifest, ide: RunningRoute['ide']): boolean =>
  manifest.ide === ide.name && manifest.version === ide.version && (manifest.commit === null || ide.commit === null || manifest.commit === ide.commit);

/** Whether browsers ask for this and nobody has it: VS Code waits for such an answer, and an emulated guest takes a quarter of a second for it. */
export function isAbsent(manifest: Manifest, url: string): boolean {
  const path = pathOf(url);
  return manifest.prefixes.some(({ urlPrefix, dir }) => path.startsWith(urlPrefix) && manifest.absent.includes(dir + path.slice(urlPrefix.length)));
}

function pathOf(url: string): string {
  const questionMark = url.indexOf('?');
  return questionMark === -1 ? url : url.slice(0, questionMark);
}

/** The file behind a request target, or null when the guest has to answer. */
export function findFile(manifest: Manifest, url: string): StaticFile | null {
  const path = pathOf(url);
  const remote = manifest.remoteResource;
  if (remote !== null && path === remote.urlPath) {
    const guestPath = new URLSearchParams(url.slice(path.length + 1)).get('path');
    return guestPath?.startsWith(remote.guestRoot) === true ? entry(manifest, remote.dir + guestPath.slice(remote.guestRoot.length), path) : null;
  }
  const prefix = manifest.prefixes.find(({ urlPrefix }) => path.startsWith(urlPrefix));
  if (prefix === undefined) return null;
  const rest = decode(path.slice(prefix.urlPrefix.length));
  return rest === null ? null : entry(manifest, prefix.dir + rest, path);
}

/** The file of the shared origin's path `/<manifest id>/<key>`, without its first part. */
export const fileByKey = (manifest: Manifest, key: string): StaticFile | null => {
  const file = entry(manifest, key, '');
  return file === null ? null : { ...file, isVersioned: true };
};

/** Only listed names are files: a path that climbs out of the folder is simply not listed. */
function entry(manifest: Manifest, key: string, path: string): StaticFile | null {
  const file = Object.hasOwn(manifest.files, key) ? manifest.files[key] : undefined;
  return file === undefined ? null : { key, sha256: file.sha256, bytes: file.bytes, isVersioned: manifest.commit !== null && path.includes(manifest.commit) };
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null; // a broken escape: the guest may know what it means
  }
}
