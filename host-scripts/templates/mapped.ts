import { readFile, readdir } from 'node:fs/promises';
import { errnoOf } from '../system/errno.ts';

/** True when a living process maps this file; a hypervisor whose maps cannot be read (another user's) counts as one that does. */
export async function isMapped(path: string): Promise<boolean> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const answers = await Promise.all(pids.map(async (pid) => {
    try {
      const name = await readFile(`/proc/${pid}/comm`, 'utf8');
      return /^(?:qemu-system|firecracker)/.test(name) && (await readFile(`/proc/${pid}/maps`, 'utf8')).includes(path);
    } catch (error) {
      if (['ENOENT', 'ESRCH'].includes(errnoOf(error) ?? '')) return false;
      if (['EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) return true;
      throw error;
    }
  }));
  return answers.includes(true);
}
