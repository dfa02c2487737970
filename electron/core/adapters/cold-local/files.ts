import { open } from 'node:fs/promises';
import { VesselError } from '#shared/errors.ts';

export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && (error as { readonly code?: unknown }).code === code;
}

/** Makes names in a folder durable. Windows cannot open folders; its file system journals names itself. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Whatever a file system threw: a full disk is DISK_FULL, an abort CANCELLED, the rest STORE_FAILED with the system's words. */
export function storeError(error: unknown): VesselError {
  const known = VesselError.from(error);
  if (known.code !== 'INTERNAL') return known;
  return new VesselError('STORE_FAILED', known.message, { cause: error });
}
