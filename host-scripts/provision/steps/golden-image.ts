import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeServer } from '../../../images/ide/code-server.ts';
import { buildGoldenImage, findGoldenImage, goldenImageKey, pruneImages, readImageInputs, touchImage } from '../../../images/recipe/index.ts';
import { dataDiskPath, ensureDataDisk, guestAgentText, pointedImage, rememberImage } from '../../current-image.ts';
import type { HostPaths } from '../../paths.ts';
import { errnoOf } from '../../system/errno.ts';
import type { Check, ProvisionStep } from '../step.ts';

const MEGABYTE = 1_000_000;

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** The guest's disk image for the current inputs, and the empty disk that environments write to. */
export function goldenImageStep(paths: HostPaths): ProvisionStep {
  async function check(): Promise<Check> {
    const found = await findGoldenImage({ cacheDir: paths.cache, guestAgentSource: await guestAgentText() });
    const disk = await isThere(dataDiskPath(paths));
    if (found !== null && disk) {
      if ((await pointedImage(paths))?.key !== found.key) return { present: false, evidence: 'the image is there but not in use', plan: [`use image ${found.key}`] };
      return { present: true, evidence: `image ${found.key} with ${found.ide.name} ${found.ide.version}, ${Math.round(found.bytes / MEGABYTE)} MB`, plan: [] };
    }
    return {
      present: false, evidence: found === null ? 'no image of the current inputs' : 'the empty data disk is missing',
      plan: [...(found === null ? ['build the golden image (about 4 minutes, 2 GB)'] : []), ...(disk ? [] : ['format the empty data disk (6 MB)'])],
    };
  }
  return {
    id: 'image', title: 'Golden image with VS Code', weight: 240, check,
    async run({ signal, progress, log, journal }) {
      const guestAgentSource = await guestAgentText();
      const folder = join(paths.images, goldenImageKey(await readImageInputs(codeServer, guestAgentSource)));
      // Only what this run makes: an image that was there before belongs to somebody else too.
      for (const path of [folder, dataDiskPath(paths)]) if (!await isThere(path)) await journal.record('image', path);
      const image = await buildGoldenImage({
        cacheDir: paths.cache, guestAgentSource, signal, log: (line) => log('debug', line),
        onProgress: (state) => progress(state.progress * 0.98, state.message),
      });
      progress(0.98, 'formatting the data disk');
      await ensureDataDisk(paths, signal);
      await rememberImage(paths, image);
      await touchImage(paths.cache, image.key);
      const removed = await pruneImages(paths.cache, image.key);
      if (removed.length > 0) log('info', `Removed ${removed.length} images and layers that were not used for long`);
    },
    async undo({ item }) {
      if (!item.startsWith(`${paths.cache}/`)) return 'it lies outside this cache';
      await rm(item, { recursive: true, force: true });
      return null;
    },
  };
}
