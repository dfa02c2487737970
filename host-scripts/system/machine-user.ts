import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, readlink, rm, rmdir, stat, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import { errnoOf } from './errno.ts';
import type { RunUser } from './run-user.ts';

/**
 * The uids of machines, one each, without entries in any account file. Above every range that distributions and systemd hand out
 * (subordinate ids end at 600,100,000 by login.defs(5), containers of systemd at 1,879,048,191) and below the foreign ids at 2,147,352,576;
 * see https://systemd.io/UIDS-GIDS.
 */
export const MACHINE_UIDS = { first: 1_986_330_624, count: 65_536 } as const;
/** Never given to a machine: what is tried out on behalf of all of them runs as this one. */
const PROBE_UID = MACHINE_UIDS.first + MACHINE_UIDS.count - 1;
const CLAIMS = 'uids';

const isMachineUid = (uid: number): boolean => uid >= MACHINE_UIDS.first && uid < PROBE_UID;

/** Whether this process may become one of these users: in a container with few ids it may not. */
async function canBecomeMachineUsers(): Promise<boolean> {
  const covers = async (path: string): Promise<boolean> => (await readFile(path, 'utf8')).split('\n').some((line) => {
    const [inside = Infinity, , length = 0] = line.trim().split(/\s+/).map(Number);
    return inside <= MACHINE_UIDS.first && inside + length > PROBE_UID;
  });
  return (await Promise.all(['/proc/self/uid_map', '/proc/self/gid_map'].map(covers))).every((covered) => covered);
}

/** The user that stands for any machine; the service user itself where machines cannot have users of their own. */
export async function probeUser(service: RunUser): Promise<RunUser> {
  return await canBecomeMachineUsers() ? withUid(service, PROBE_UID) : service;
}

const withUid = (service: RunUser, uid: number): RunUser => ({ ...service, uid, gid: service.sharesGroup === true ? service.gid : uid });

/** The user of a machine that has this uid by its record; null means one of before machines had their own. */
export const machineUserOf = (service: RunUser, uid: number | null): RunUser => (uid === null ? service : withUid(service, uid));

const claimsOf = (socketDir: string): string => join(dirname(socketDir), CLAIMS);

async function claims(folder: string): Promise<readonly { readonly path: string; readonly uid: number; readonly owner: string }[]> {
  try {
    const names = await readdir(folder);
    const found = await Promise.all(names.map(async (name) => ({ path: join(folder, name), uid: Number(name), owner: await readlink(join(folder, name)).catch(() => '') })));
    return found.filter(({ owner }) => owner !== '');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/**
 * Gives the machine that has this folder of sockets a uid that no other has, across all agents and homes of this computer: a link that
 * can be made once. Claimed again it gets the same. The folder must exist. Root only; the service user where uids cannot be had.
 */
export async function claimMachineUser(socketDir: string, service: RunUser): Promise<RunUser> {
  if (!await canBecomeMachineUsers()) return service;
  const folder = claimsOf(socketDir);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const owner = basename(socketDir);
  const own = (await claims(folder)).find((claim) => claim.owner === owner && isMachineUid(claim.uid));
  if (own !== undefined) return withUid(service, own.uid);
  // Not the lowest: a uid that was just given back is not at once another machine's.
  const start = createHash('sha256').update(`${owner} ${Date.now()}`).digest().readUInt32BE(0);
  for (let attempt = 0; attempt < MACHINE_UIDS.count; attempt += 1) {
    const uid = MACHINE_UIDS.first + ((start + attempt) % (MACHINE_UIDS.count - 1));
    try {
      await symlink(owner, join(folder, String(uid)));
      return withUid(service, uid);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
  }
  throw new VesselError('HOST_RESOURCES', 'all user ids for machines are in use');
}

/** Gives back what the machine with this folder of sockets had. Safe to repeat. */
export async function releaseMachineUser(socketDir: string): Promise<void> {
  for (const { path, owner } of await claims(claimsOf(socketDir))) if (owner === basename(socketDir)) await rm(path, { force: true });
}

/** Takes away what machines that are gone have left claimed, and the folder when nothing is in it. Only while none is being started. */
export async function sweepMachineUsers(run: string): Promise<void> {
  const folder = join(run, CLAIMS);
  for (const { path, owner } of await claims(folder)) {
    const lives = await stat(join(run, owner)).then(() => true, () => false);
    if (!lives) await rm(path, { force: true });
  }
  await rmdir(folder).catch((error: unknown) => {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(errnoOf(error) ?? '')) throw error;
  });
}
