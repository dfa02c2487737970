import type { Owner } from '#shared/archive-fields.ts';

const isRoot = process.getuid?.() === 0;

/** From now on files are made as this user, with that user's rights and no more. Nothing happens unless this process is root's. */
export function asUser({ uid, gid }: Owner): void {
  if (!isRoot || uid === 0) return;
  process.setegid?.(gid);
  process.seteuid?.(uid);
}

/** Back to root. */
export function asSelf(): void {
  if (!isRoot || process.geteuid?.() === 0) return;
  process.seteuid?.(0);
  process.setegid?.(process.getgid?.() ?? 0);
}

/** Whether owners can be given. */
export const mayChown = (): boolean => isRoot;
