import { createHash, randomUUID } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import type { IdeAdapter } from '../ide/adapter.ts';
import { codeServer } from '../ide/code-server.ts';
import { agentConfig } from './agent-config.ts';
import { KERNEL_COMMAND_LINE } from './boot-arguments.ts';
import { imageDir, readGoldenImage } from './golden-image.ts';
import type { GoldenImage, ImageJson } from './golden-image.ts';
import { IDE_ROOT } from './guest-layout.ts';
import { ideLayer } from './ide-layer.ts';
import { writeIdeStatic } from './ide-static.ts';
import { writeInitrd } from './initrd.ts';
import { goldenImageKey, readImageInputs } from './inputs.ts';
import type { ImageInputs } from './inputs.ts';
import { leanManifests } from './lean-manifests.ts';
import { quickServerFiles } from './quick-server.ts';
import { quickWorkbenchFile } from './quick-workbench.ts';
import { withLock } from './lock.ts';
import { NODE_VERSION } from './pins.ts';
import { buildProgress } from './progress.ts';
import type { BuildProgress } from './progress.ts';
import { rootImage, topFiles } from './root-image.ts';
import { sideBySide } from './side-by-side.ts';
import { systemLayer } from './system-layer.ts';

export type BuildOptions = {
  /** Holds `layers/` and `images/`. */
  readonly cacheDir: string;
  /** Text of the bundled guest agent (one ESM file). */
  readonly guestAgentSource: string;
  readonly ide?: IdeAdapter;
  readonly onProgress?: (progress: BuildProgress) => void;
  readonly signal?: AbortSignal;
  /** Every line of the tools that build. */
  readonly log?: (line: string) => void;
};

/** The image of the current inputs when it is there already, else null. */
export async function findGoldenImage(options: Pick<BuildOptions, 'cacheDir' | 'guestAgentSource' | 'ide'>): Promise<GoldenImage | null> {
  return readGoldenImage(options.cacheDir, goldenImageKey(await readImageInputs(options.ide ?? codeServer, options.guestAgentSource)));
}

/**
 * Makes the golden image, or returns the one that is there. About three minutes from nothing; about 15 seconds when only the
 * agent or an init script changed. One builder at a time for each cache; others wait and then find the result.
 * Throws PROVISION_FAILED (with the last lines of the tool), HOST_UNSUPPORTED, DISK_FULL, CANCELLED.
 */
export async function buildGoldenImage(options: BuildOptions): Promise<GoldenImage> {
  const inputs = await readImageInputs(options.ide ?? codeServer, options.guestAgentSource);
  const key = goldenImageKey(inputs);
  const log = options.log ?? ((): void => undefined);
  const root = process.getuid?.() === 0;
  const present = await readGoldenImage(options.cacheDir, key);
  if (present !== null) return present;
  await mkdir(join(options.cacheDir, 'images'), { recursive: true });
  try {
    return await withLock(join(options.cacheDir, 'images', '.lock'), options.signal, () => log('another build is running here: waiting for it'), async () => {
      const made = await readGoldenImage(options.cacheDir, key);
      if (made !== null) return made;
      return build(inputs, key, root, options, log);
    });
  } catch (error) {
    throw VesselError.from(error);
  }
}

async function build(inputs: ImageInputs, key: string, root: boolean, options: BuildOptions, log: (line: string) => void): Promise<GoldenImage> {
  const { cacheDir, signal } = options;
  const progress = buildProgress(options.onProgress, log);
  // Side by side: one downloads while the other compiles.
  const [system, ide] = await sideBySide([
    (both) => systemLayer(inputs, cacheDir, root, progress.stage('system'), both),
    (both) => ideLayer(inputs, cacheDir, root, progress.stage('ide'), both),
  ], signal);
  const scratch = await mkdtemp(join(cacheDir, 'images', '.build-'));
  try {
    const say = progress.stage('assemble');
    const output = join(scratch, 'image');
    await mkdir(output);
    say('VESSEL 5 unpacking the layers');
    await rootImage.unpack(scratch, system.path, ide.path, root, signal);
    const tree = join(scratch, 'tree');
    const commit = await readCommit(join(tree, IDE_ROOT, inputs.ide.productPath));

    say('VESSEL 45 writing kernel and initramfs');
    const kernelDir = join(scratch, 'kernel');
    const [kernelVersion] = await readdir(join(kernelDir, 'lib/modules'));
    if (kernelVersion === undefined) throw new VesselError('PROVISION_FAILED', 'The kernel package holds no modules');
    await copyFile(join(kernelDir, 'boot', `vmlinuz-${kernelVersion}`), join(output, 'vmlinuz'));
    await writeInitrd({ kernelDir, kernelVersion, busybox: join(tree, 'usr/lib/vessel/busybox'), output: join(output, 'initrd.img') });

    say('VESSEL 50 collecting the IDE\'s static files');
    const workbench = await quickWorkbenchFile(join(tree, IDE_ROOT), inputs.ide.productPath);
    await writeIdeStatic({ ide: inputs.ide, ideTree: join(tree, IDE_ROOT), guestRoot: IDE_ROOT, commit, changed: workbench, output: join(output, 'ide-static') });

    say('VESSEL 70 packing the root disk');
    const files = [
      ...topFiles(inputs.ide, inputs.guestAgentSource, agentConfig(inputs.ide, commit)),
      ...await leanManifests(join(tree, IDE_ROOT), inputs.ide.productPath, IDE_ROOT),
      ...await quickServerFiles(join(tree, IDE_ROOT), inputs.ide.productPath, IDE_ROOT),
      ...(workbench === null ? [] : [{ path: join(IDE_ROOT, workbench.path), mode: 0o644, text: workbench.text }]),
    ];
    await rootImage.pack(scratch, files, uuidOf(key), join(output, 'root.img'), root, signal);

    const json: ImageJson = {
      format: 1, key, buildId: randomUUID(), builtAt: Date.now(), distribution: { id: inputs.distribution.id, suite: inputs.distribution.suite },
      kernelVersion, node: NODE_VERSION, ide: { name: inputs.ide.name, version: inputs.ide.version, commit },
      tokenVia: 'fw_cfg', commandLine: KERNEL_COMMAND_LINE, bytes: await spaceOf(output),
    };
    await writeFile(join(output, 'image.json'), `${JSON.stringify(json, null, 2)}\n`);
    await rename(output, imageDir(cacheDir, key));
    say('VESSEL 100 the golden image is there');
  } finally {
    await rootImage.remove(scratch, root);
    await rm(scratch, { recursive: true, force: true });
  }
  const image = await readGoldenImage(cacheDir, key);
  if (image === null) throw new VesselError('INTERNAL', `The image ${key} vanished right after it was built`);
  return image;
}

async function readCommit(productPath: string): Promise<string | null> {
  const product: unknown = JSON.parse(await readFile(productPath, 'utf8'));
  const commit = typeof product === 'object' && product !== null && 'commit' in product ? product.commit : null;
  return typeof commit === 'string' ? commit : null;
}

/** A file system identity that follows from the key. */
function uuidOf(key: string): string {
  const hex = createHash('sha256').update(key).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

const BLOCK_BYTES = 512;

/** Bytes on disk of the files directly in `dir` and below, holes not counted. */
async function spaceOf(dir: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(dir, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).blocks * BLOCK_BYTES;
  }
  return bytes;
}

