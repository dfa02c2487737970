import { VesselError } from '#shared/errors.ts';
import type { SealedNames } from '../../ports/encryption.ts';
import type { EncryptionRecord, RemoteArchive, RemoteBackend, RemoteProject } from '../../ports/remote-store.ts';
import type { ArchiveKey } from './archive-key.ts';
import type { KeyRing } from './key-ring.ts';
import { keyIdOfArchive, keyIdOfProject, openArchive, openProject } from './sealed-rows.ts';

/** Another device may have turned encryption on: what is written asks anew, what is read may be that old. */
const POLICY_MS = 30_000;

export type SealedOptions = { readonly ring: KeyRing; readonly names: SealedNames; /** A folder for ciphertext on its way. */ readonly spool: string; readonly now?: () => number };
type Policy = EncryptionRecord & { readonly key: ArchiveKey | null };

/** One back end with its key: what both the rows and the archives need. */
export class SealedView {
  readonly inner: RemoteBackend;
  readonly names: SealedNames;
  readonly spool: string;
  readonly locked = new Set<string>();
  /** Something plain was listed although all should be sealed. */
  mixed = false;
  readonly #ring: KeyRing;
  readonly #now: () => number;
  #record: { readonly value: EncryptionRecord | null; readonly at: number } | null = null;

  constructor(inner: RemoteBackend, { ring, names, spool, now = Date.now }: SealedOptions) {
    this.inner = inner;
    this.names = names;
    this.spool = spool;
    this.#ring = ring;
    this.#now = now;
  }

  /** Null where encryption was never turned on. */
  async policy(fresh = false): Promise<Policy | null> {
    if (this.#record === null || fresh || this.#now() - this.#record.at > POLICY_MS) this.#record = { value: await this.inner.index.encryption(), at: this.#now() };
    const { value } = this.#record;
    return value === null ? null : { ...value, key: await this.#ring.key(value.keyId) };
  }
  forgetPolicy(): void { this.#record = null; }
  forget(): void { this.#record = null; this.locked.clear(); this.mixed = false; }
  /** The key that what is written now must be sealed with; null when it is to be plain. Throws ENCRYPTION_LOCKED. */
  async sealingKey(fresh: boolean): Promise<ArchiveKey | null> {
    const policy = await this.policy(fresh);
    if (policy === null || !policy.enabled) return null;
    if (policy.key === null) throw locked();
    return policy.key;
  }

  /** A row as it is meant; one whose key is not here is marked. */
  async open(row: RemoteProject): Promise<RemoteProject> {
    const keyId = keyIdOfProject(row);
    if (keyId === null) { this.locked.delete(row.id); return row; }
    // The account's record was read before encryption was turned on.
    if (await this.policy() === null) await this.policy(true);
    const key = await this.#ring.key(keyId);
    if (key === null) { this.locked.add(row.id); return { ...row, locked: true }; }
    this.locked.delete(row.id);
    return openProject(key, row);
  }
  /** Revisions as they are meant, with the rows they were read from; those whose key is not here are left out. */
  async openAll(rows: readonly RemoteArchive[]): Promise<readonly { readonly row: RemoteArchive; readonly archive: RemoteArchive }[]> {
    const found = [];
    for (const row of rows) {
      const keyId = keyIdOfArchive(row);
      const key = keyId === null ? null : await this.#ring.key(keyId);
      if (keyId === null) found.push({ row, archive: row });
      else if (key !== null) found.push({ row, archive: openArchive(key, row) });
    }
    return found;
  }
  /** Every recorded form of a content, and the same for all revisions of the project. */
  async rowsOf(projectId: string): Promise<readonly { readonly row: RemoteArchive; readonly archive: RemoteArchive }[]> {
    const found = await this.openAll(await this.inner.index.archives(projectId));
    const known = this.names.of(projectId);
    for (const { row, archive } of found) if (row.sealed !== undefined && known[archive.sha256] !== row.sha256) this.names.put(projectId, archive.sha256, row.sha256);
    return found;
  }
}

export const locked = (): VesselError => new VesselError('ENCRYPTION_LOCKED');
export const isSealed = ({ sealed }: RemoteArchive): boolean => sealed !== undefined;
