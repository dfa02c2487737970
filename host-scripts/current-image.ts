import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import { findGoldenImage, makeDataDisk, readGoldenImage } from '../images/recipe/index.ts';
import type { GoldenImage } from '../images/recipe/index.ts';
import { EMBEDDED_GUEST_AGENT } from './build-info.ts';
import type { HostPaths } from './paths.ts';
import { readFileOrNull, writeFileAtomic } from './system/atomic-file.ts';
import { errnoOf } from './system/errno.ts';

/** The golden image with the formatted, empty disk that every machine's own disk is an overlay of. */
export type BootImage = { readonly image: GoldenImage; readonly dataDisk: { readonly path: string; readonly modifiedMs: number } };

/** Remembers which image belongs to this infra-agent: finding out anew asks package managers and takes half a second. */
const PointerSchema = z.object({ key: z.string(), guestAgentSha256: z.string(), delivered: z.boolean().default(false) });

let bundled: Promise<string> | null = null;

/** The guest agent that goes into the image: the one this bundle carries, or the sources bundled now. */
export function guestAgentText(): Promise<string> {
  bundled ??= EMBEDDED_GUEST_AGENT === null ? bundleFromSources() : Promise.resolve(EMBEDDED_GUEST_AGENT);
  return bundled;
}

async function bundleFromSources(): Promise<string> {
  const { bundleGuestAgent } = await import('../images/guest-agent/bundle.ts');
  const folder = await mkdtemp(join(tmpdir(), 'vessel-agent-'));
  try {
    await bundleGuestAgent(join(folder, 'guest-agent.mjs'));
    return await readFile(join(folder, 'guest-agent.mjs'), 'utf8');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const pointerPath = (paths: HostPaths): string => join(paths.state, 'image.json');
export const dataDiskPath = (paths: HostPaths): string => join(paths.cache, 'disks', 'data.raw');
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Makes `image` the one that new machines boot. `delivered`: it was made elsewhere, so the inputs of this host say nothing about it. */
export async function rememberImage(paths: HostPaths, image: Pick<GoldenImage, 'key'>, delivered = false): Promise<void> {
  await mkdir(paths.state, { recursive: true, mode: 0o711 });
  const pointer = { key: image.key, guestAgentSha256: sha256(await guestAgentText()), delivered };
  await writeFileAtomic(pointerPath(paths), `${JSON.stringify(pointer)}\n`, { mode: 0o644, durable: false });
}

/** The image that was made the current one, or null when there is none for this infra-agent. Cheap: two small files. */
export async function pointedImage(paths: HostPaths): Promise<GoldenImage | null> {
  const pointer = await readPointer(paths);
  return pointer === null ? null : readGoldenImage(paths.cache, pointer.key);
}

/** The image that was sent to this host and is in use, or null. */
export async function deliveredImage(paths: HostPaths): Promise<GoldenImage | null> {
  const pointer = await readPointer(paths);
  return pointer?.delivered === true ? readGoldenImage(paths.cache, pointer.key) : null;
}

async function readPointer(paths: HostPaths): Promise<z.infer<typeof PointerSchema> | null> {
  const text = await readFileOrNull(pointerPath(paths));
  const pointer = text === null ? null : PointerSchema.safeParse(JSON.parse(text));
  return pointer?.success === true && pointer.data.guestAgentSha256 === sha256(await guestAgentText()) ? pointer.data : null;
}

/** The image that new machines boot, or null when it is not on this host. Changes nothing. */
export async function currentImage(paths: HostPaths): Promise<GoldenImage | null> {
  return await pointedImage(paths) ?? findGoldenImage({ cacheDir: paths.cache, guestAgentSource: await guestAgentText() });
}

/** Makes the common base of all writable disks unless it is there. Resolves to whether it was made. */
export async function ensureDataDisk(paths: HostPaths, signal: AbortSignal): Promise<boolean> {
  const path = dataDiskPath(paths);
  try {
    await stat(path);
    return false;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  await mkdir(join(paths.cache, 'disks'), { recursive: true, mode: 0o711 });
  await makeDataDisk(path, undefined, signal);
  return true;
}

/** What machines boot from. A start notes it down, so that the next one finds it at once. Throws IMAGE_MISSING. */
export async function bootImage(paths: HostPaths, purpose: 'start' | 'look'): Promise<BootImage> {
  const pointed = await pointedImage(paths);
  const image = pointed ?? await currentImage(paths);
  if (image === null) throw new VesselError('IMAGE_MISSING');
  if (pointed === null && purpose === 'start') await rememberImage(paths, image);
  try {
    const path = dataDiskPath(paths);
    return { image, dataDisk: { path, modifiedMs: (await stat(path)).mtimeMs } };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw new VesselError('IMAGE_MISSING', 'the base of the writable disks is not on the host', { cause: error });
    throw error;
  }
}
