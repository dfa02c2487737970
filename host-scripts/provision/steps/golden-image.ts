import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeliveredImage } from '#shared/host-protocol.ts';
import { codeServer } from '../../../images/ide/code-server.ts';
import { buildGoldenImage, findGoldenImage, goldenImageKey, pruneImages, readImageInputs, touchImage } from '../../../images/recipe/index.ts';
import { dataDiskPath, deliveredImage, ensureDataDisk, guestAgentText, pointedImage, rememberImage } from '../../current-image.ts';
import { VesselError } from '#shared/errors.ts';
import type { HostPaths } from '../../paths.ts';
import { receiveImage } from '../../receive-image.ts';
import type { Check, ProvisionStep, StepContext } from '../step.ts';
import { exists } from '../../system/exists.ts';

const MEGABYTE = 1_000_000;

/** The guest's disk image for the current inputs (or the one that the caller sends), and the empty disk that environments write to. */
export function goldenImageStep(paths: HostPaths, sent?: DeliveredImage): ProvisionStep {
  async function check(): Promise<Check> {
    const here = await deliveredImage(paths);
    if (sent !== undefined || here !== null) return checkDelivered(here);
    const found = await findGoldenImage({ cacheDir: paths.cache, guestAgentSource: await guestAgentText() }).catch((error: unknown) => {
      // Without npm nobody can tell yet which image it would be; the packages come first.
      if (VesselError.from(error).code === 'PROVISION_FAILED') return null;
      throw error;
    });
    const disk = await exists(dataDiskPath(paths));
    if (found !== null && disk) {
      if ((await pointedImage(paths))?.key !== found.key) return { present: false, evidence: 'the image is there but not in use', plan: [`use image ${found.key}`] };
      return { present: true, evidence: `image ${found.key} with ${found.ide.name} ${found.ide.version}, ${Math.round(found.bytes / MEGABYTE)} MB`, plan: [] };
    }
    return {
      present: false, evidence: found === null ? 'no image of the current inputs' : 'the empty data disk is missing',
      plan: [...(found === null ? ['build the golden image (about 4 minutes, 2 GB)'] : []), ...(disk ? [] : ['format the empty data disk (6 MB)'])],
    };
  }
  async function checkDelivered(here: Awaited<ReturnType<typeof deliveredImage>>): Promise<Check> {
    const disk = await exists(dataDiskPath(paths));
    if (here !== null && disk && (sent === undefined || sent.key === here.key)) return { present: true, evidence: `image ${here.key} with ${here.ide.name} ${here.ide.version}, ${Math.round(here.bytes / MEGABYTE)} MB, sent by a Vessel`, plan: [] };
    const receive = here === null || (sent !== undefined && sent.key !== here.key);
    return {
      present: false, evidence: here === null ? 'no image' : receive ? `image ${here.key} is of another Vessel` : 'the empty data disk is missing',
      plan: [...(receive && sent !== undefined ? [`receive image ${sent.key} (${Math.round(sent.bytes / MEGABYTE)} MB over the line)`] : []), ...(disk ? [] : ['format the empty data disk (6 MB)'])],
    };
  }
  async function receive({ signal, progress, journal }: StepContext, image: DeliveredImage): Promise<void> {
    const { path } = image;
    if (path === null) throw new VesselError('IMAGE_MISSING', `image ${image.key} was announced, but not sent`);
    const folder = join(paths.images, image.key);
    for (const item of [folder, dataDiskPath(paths)]) if (!await exists(item)) await journal.record('image', item);
    if ((await deliveredImage(paths))?.key !== image.key) await receiveImage({ ...image, path }, paths.images, signal, (fraction) => progress(fraction * 0.95, 'unpacking the image'));
    progress(0.98, 'formatting the data disk');
    await ensureDataDisk(paths, signal);
    await rememberImage(paths, image, true);
    await touchImage(paths.cache, image.key);
    await pruneImages(paths.cache, image.key);
  }
  return {
    id: 'image', title: 'Golden image with VS Code', weight: sent === undefined ? 240 : 20, check,
    async run(context) {
      if (sent !== undefined) return receive(context, sent);
      const { signal, progress, log, journal } = context;
      const guestAgentSource = await guestAgentText();
      const folder = join(paths.images, goldenImageKey(await readImageInputs(codeServer, guestAgentSource)));
      // Only what this run makes: an image that was there before belongs to somebody else too.
      for (const path of [folder, dataDiskPath(paths)]) if (!await exists(path)) await journal.record('image', path);
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
