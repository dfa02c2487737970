import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { RunUser } from '../../system/run-user.ts';
import { DESCRIPTOR } from './machine-arguments.ts';

type Role = keyof typeof DESCRIPTOR;

/** QEMU opens these by a path under /proc/self/fd, for which it must have the right. */
const OPENED_AGAIN: ReadonlySet<Role> = new Set(['memory', 'token']);

/**
 * Files opened for a hypervisor before it starts, each for one descriptor number. Whoever opens them needs the rights; the
 * hypervisor inherits them open. Dispose when the hypervisor runs: it has its own copies then.
 */
export class MachineFiles {
  readonly #handles = new Map<Role, FileHandle>();
  readonly #user: RunUser | null;

  constructor(user: RunUser | null) {
    this.#user = user;
  }

  /** Opens an existing file to be read only. */
  async read(role: Role, path: string): Promise<void> {
    this.#handles.set(role, await open(path, 'r'));
  }

  /**
   * Opens a file for reading and writing; `flags` as in open(2), `w+` makes an empty one. It stays root's: a hypervisor has no other way to
   * it than the descriptor, but for {@link OPENED_AGAIN}.
   */
  async write(role: Role, path: string, flags: 'r+' | 'w+' | 'a'): Promise<FileHandle> {
    const handle = await open(path, flags, 0o600);
    this.#handles.set(role, handle);
    if (this.#user !== null && OPENED_AGAIN.has(role)) await handle.chown(this.#user.uid, this.#user.gid);
    return handle;
  }

  /** What goes into `stdio` at each descriptor number; the caller puts its sockets at `network` and `control`. */
  descriptors(): ReadonlyMap<number, number> {
    return new Map([...this.#handles].map(([role, handle]) => [DESCRIPTOR[role], handle.fd]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#handles.values()].map((handle) => handle.close()));
    this.#handles.clear();
  }
}
