import { join } from 'node:path';
import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import { readFileOrNull } from '../../system/atomic-file.ts';

const ImagesSchema = z.object({ image: z.string().min(1), kernel: z.string().min(1) });
/** The kernel that ignite v0.10.0 was released with. */
export const IGNITE_KERNEL = 'weaveworks/ignite-kernel:5.10.51';

/** Guest image and kernel: `VESSEL_IGNITE_IMAGE`, `VESSEL_IGNITE_KERNEL`, else `ignite.json` of this host. Tags that never change: ignite does not pull twice. Throws IMAGE_MISSING. */
export async function igniteImages(state: string, env: Readonly<Record<string, string | undefined>>): Promise<z.infer<typeof ImagesSchema>> {
  const image = env['VESSEL_IGNITE_IMAGE'];
  if (image !== undefined && image !== '') return { image, kernel: env['VESSEL_IGNITE_KERNEL'] ?? IGNITE_KERNEL };
  const text = await readFileOrNull(join(state, 'ignite.json'));
  if (text === null) {
    throw new VesselError('IMAGE_MISSING', 'no guest image is named for ignite', {
      hint: 'Build images/Dockerfile, import it (docker save IMAGE | ctr -n firecracker images import -), and name it in VESSEL_IGNITE_IMAGE.',
    });
  }
  return ImagesSchema.parse(JSON.parse(text));
}
