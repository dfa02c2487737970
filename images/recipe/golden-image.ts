import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** `image.json` beside the files of an image. Paths in it are relative: an image directory may be moved whole. */
export const ImageJsonSchema = z.object({
  format: z.literal(1),
  key: z.string(),
  /** Unique for each build: two builds of one key may hold different package versions, so a template belongs to a build. */
  buildId: z.string(),
  builtAt: z.number(),
  distribution: z.object({ id: z.string(), suite: z.string() }),
  kernelVersion: z.string(),
  node: z.string(),
  ide: z.object({ name: z.enum(['code-server', 'openvscode-server']), version: z.string(), commit: z.string().nullable() }),
  /** How the guest's init gets the first token: QEMU `-fw_cfg name=opt/vessel/token,file=…`. */
  tokenVia: z.literal('fw_cfg'),
  commandLine: z.string(),
  /** Space that the image takes, bytes. */
  bytes: z.number(),
});
export type ImageJson = z.infer<typeof ImageJsonSchema>;

/** A golden image on disk: immutable once it is there. */
export type GoldenImage = {
  readonly key: string;
  readonly buildId: string;
  readonly builtAt: number;
  readonly dir: string;
  readonly kernel: string;
  readonly initrd: string;
  readonly root: string;
  readonly ide: ImageJson['ide'];
  readonly ideStaticDir: string;
  readonly commandLine: string;
  readonly bytes: number;
};

export const imageDir = (cacheDir: string, key: string): string => join(cacheDir, 'images', key);

/** The image of this key, or null. `image.json` is written last and the folder moved into place whole, so what is there is complete. */
export async function readGoldenImage(cacheDir: string, key: string): Promise<GoldenImage | null> {
  const dir = imageDir(cacheDir, key);
  let text: string;
  try {
    text = await readFile(join(dir, 'image.json'), 'utf8');
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === 'ENOENT') return null;
    throw error;
  }
  const json = ImageJsonSchema.parse(JSON.parse(text));
  return {
    key: json.key, buildId: json.buildId, builtAt: json.builtAt, dir, kernel: join(dir, 'vmlinuz'), initrd: join(dir, 'initrd.img'), root: join(dir, 'root.img'),
    ide: json.ide, ideStaticDir: join(dir, 'ide-static'), commandLine: json.commandLine, bytes: json.bytes,
  };
}
