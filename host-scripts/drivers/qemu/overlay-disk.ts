import { runChecked } from '../../system/run-command.ts';

const QEMU_IMG_DEADLINE_MS = 30_000;

/**
 * Makes an empty qcow2 layer over a disk. The path of the lower layer written into it is for people (`qemu-img info`): a machine is
 * told its layers one by one.
 */
export async function makeOverlay(path: string, backing: { readonly path: string; readonly format: 'raw' | 'qcow2' }): Promise<void> {
  await runChecked(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', backing.format, '-b', backing.path, path], { deadlineMs: QEMU_IMG_DEADLINE_MS });
}
