import { chmod, lstat, mkdir } from 'node:fs/promises';
import { VesselError } from '#shared/errors.ts';
import { errnoOf } from './errno.ts';

/** Root's machines run as other users and must get through to their own folders; nobody else has any business there. */
const TRAVERSABLE = 0o711;
const PRIVATE = 0o700;
const WRITABLE_BY_OTHERS = 0o022;

/**
 * Makes sure that the folder for sockets exists and is this user's own. It may lie in `/tmp`, where any user can make it first and would
 * then own the way to every machine. Throws FOLDER_UNSAFE for a link, another's folder, or one that others may write to.
 */
export async function ensureRunFolder(path: string, self = process.getuid?.() ?? 0): Promise<void> {
  const mode = self === 0 ? TRAVERSABLE : PRIVATE;
  try {
    await mkdir(path, { mode });
  } catch (error) {
    // ENOENT: below a folder of root, or of the user's session, which nobody else can make.
    if (errnoOf(error) === 'ENOENT') await mkdir(path, { recursive: true, mode });
    else if (errnoOf(error) !== 'EEXIST') throw error;
  }
  const found = await lstat(path);
  const refuse = (why: string): never => {
    throw new VesselError('FOLDER_UNSAFE', `${path} ${why}`, { hint: 'Another user may have made it to get at your environments: have it removed, or set XDG_RUNTIME_DIR to a folder of your own.', details: { path, uid: found.uid, mode: (found.mode & 0o7777).toString(8) } });
  };
  if (found.isSymbolicLink()) refuse('is a symbolic link');
  if (!found.isDirectory()) refuse('is not a folder');
  if (found.uid !== self) refuse(`belongs to the user ${found.uid}, not to ${self}`);
  if ((found.mode & WRITABLE_BY_OTHERS) !== 0) refuse('can be written to by other users');
  if ((found.mode & 0o777) !== mode) await chmod(path, mode);
}
