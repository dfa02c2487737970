import { accessSync, constants, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';

/** The file that `name` means, searched in PATH as a shell does; null when there is none that can be executed. */
export function findProgram(name: string, cwd: string, path: string): string | null {
  const candidates = name.includes('/') ? [isAbsolute(name) ? name : join(cwd, name)] : path.split(':').map((folder) => join(folder === '' ? cwd : folder, name));
  for (const candidate of candidates) {
    try {
      accessSync(candidate, constants.X_OK);
      if (statSync(candidate).isFile()) return candidate;
    } catch {
      // Not here: look in the next folder.
    }
  }
  return null;
}
