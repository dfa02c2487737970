/** Everything that other parts may use of the golden image's recipe. */
export { bootArguments, kernelCommandLine } from './boot-arguments.ts';
export { buildGoldenImage, findGoldenImage } from './build-golden-image.ts';
export type { BuildOptions } from './build-golden-image.ts';
export { DATA_DISK_BYTES, makeDataDisk } from './data-disk.ts';
export { ImageJsonSchema, readGoldenImage } from './golden-image.ts';
export type { GoldenImage, ImageJson } from './golden-image.ts';
export { BOOT_WORDS, DISK_SERIALS, GUEST_NETWORK, GUEST_USER, TOKEN_FW_CFG, TOKEN_LENGTH, WORKSPACE_DIR } from './guest-layout.ts';
export type { IdeStaticManifest } from './ide-static.ts';
export { goldenImageKey, readImageInputs } from './inputs.ts';
export type { ImageInputs } from './inputs.ts';
export type { BuildProgress } from './progress.ts';
export { measureTscKhz } from './tsc-frequency.ts';
export { pruneImages, touchImage } from './prune-images.ts';
