import { readFile } from 'node:fs/promises';

/** The unprivileged account that hypervisors and forwarders run as when the agent itself is root. */
export const SERVICE_USER = 'vessel';

export type RunUser = {
  readonly name: string; readonly uid: number; readonly gid: number;
  /** Its group is one that every machine needs (that of `/dev/kvm`), not just its own. */
  readonly sharesGroup?: boolean;
};

/** The service user if this host has one; null when it is not made yet. Reads the local account file: the provisioning step makes it there. */
export async function serviceUser(): Promise<RunUser | null> {
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((entry) => entry.startsWith(`${SERVICE_USER}:`));
  if (line === undefined) return null;
  const [name, , uid, gid] = line.split(':');
  return { name: name ?? SERVICE_USER, uid: Number(uid), gid: Number(gid) };
}

export const isRoot = (): boolean => process.getuid?.() === 0;
