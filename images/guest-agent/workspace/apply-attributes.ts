import { closeSync, constants, fchmodSync, fchownSync, lchownSync, openSync } from 'node:fs';
import type { Owner } from '#shared/archive-fields.ts';
import { VesselError } from '#shared/vessel-error.ts';
import { mayChown } from './acting-user.ts';
import type { CheckedEntry } from './archive-checks.ts';
import { splitKey, type FolderCursor } from './folder-cursor.ts';
import { HelperOrders } from './perl-helper.ts';

const SPECIAL_BITS = 0o7000;
/** errno of a file system that has no such attributes. */
const NOT_SUPPORTED = 95;
const NO_SPACE = 28;

/**
 * Gives the entries of one of our own archives what an ordinary user cannot: other owners, set-id and sticky bits, extended attributes. In this
 * order, because a new owner clears the bits and the capabilities, and a mode changes what a list of rights says. The tree was just made from
 * checked names and nothing in it is followed. Throws INTERNAL or DISK_FULL when an attribute cannot be set.
 */
export function applyAttributes(cursor: FolderCursor, root: string, entries: readonly CheckedEntry[], workspaceOwner: Owner): void {
  const orders = new HelperOrders();
  const place: string[] = [];
  for (const { entry, key, kind } of entries) {
    const owner = entry.owner ?? workspaceOwner;
    const chown = mayChown() && (owner.uid !== workspaceOwner.uid || owner.gid !== workspaceOwner.gid);
    const chmod = kind !== 'link' && (entry.mode & SPECIAL_BITS) !== 0;
    const { xattrs } = entry.attributes;
    if (!chown && !chmod && xattrs.length === 0) continue;
    const { folder, name } = splitKey(key);
    if (chown || chmod) cursor.enter(folder);
    if (chown && kind === 'link') lchownSync(name, owner.uid, owner.gid);
    else if (chown || chmod) setOwnerAndMode(name, chown ? owner : null, entry.mode);
    if (xattrs.length > 0 && kind !== 'link') {
      goTo(orders, place, folder === '' ? [] : folder.split('/'));
      orders.set(name, xattrs);
    }
  }
  setAll(orders, root);
}

function setOwnerAndMode(name: Buffer, owner: Owner | null, mode: number): void {
  const fd = openSync(name, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (owner !== null) fchownSync(fd, owner.uid, owner.gid);
    if (mode !== 0) fchmodSync(fd, mode & 0o7777);
  } finally {
    closeSync(fd);
  }
}

/** Leads the helper to a folder from where it stands. */
function goTo(orders: HelperOrders, place: string[], parts: readonly string[]): void {
  let common = 0;
  while (common < parts.length && parts[common] === place[common]) common += 1;
  while (place.length > common) {
    place.pop();
    orders.up();
  }
  for (const part of parts.slice(common)) {
    place.push(part);
    orders.down(Buffer.from(part, 'latin1'));
  }
}

function setAll(orders: HelperOrders, root: string): void {
  if (orders.count === 0) {
    orders.close();
    return;
  }
  const output = orders.run(root);
  if (output.length === 0) return;
  const errno = output.readUInt32BE(0);
  if (errno === NO_SPACE) throw new VesselError('DISK_FULL', 'no room for an extended attribute');
  throw new VesselError('INTERNAL', errno === NOT_SUPPORTED ? 'the file system of the workspace has no extended attributes' : `an extended attribute could not be set (errno ${errno})`);
}
