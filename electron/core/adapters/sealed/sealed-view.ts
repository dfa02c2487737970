import { VesselError } from '#shared/errors.ts';
import type { EncryptionPins, SealedNames } from '../../ports/encryption.ts';
import type { EncryptionRecord, RemoteArchive, RemoteBackend, RemoteProject } from '../../ports/remote-store.ts';
import type { ArchiveKey } from './archive-key.ts';
import type { KeyRing } from './key-ring.ts';
import { changed, judge, type Policy } from './policy.ts';
import { keyIdOfArchive, keyIdOfProject, openArchive, openProject } from './sealed-rows.ts';

/** Another device may have turned encryption on: what is written asks anew, what is read may be that old. */
const POLICY_MS = 30_000;

export type SealedOptions = { readonly ring: KeyRing; readonly names: SealedNames; readonly pins: EncryptionPins; /** A folder for ciphertext on its way. */ readonly spool: string; readonly now?: () => number };
/** A revision as it is meant, and the row that it was read from. */
export type OpenedRow = { readonly row: RemoteArchive; readonly archive: RemoteArchive };

/** One back end with its keys: what both the rows and the archives need. */
export class SealedView {
  readonly inner: RemoteBackend;
  readonly pins: EncryptionPins;
  readonly spool: string;
  readonly locked = new Set<string>();
  /** Something plain was listed although all should be sealed. */
  mixed = false;
  readonly #names: SealedNames;
  readonly #ring: KeyRing;
  readonly #now: () => number;
  #record: { readonly value: EncryptionRecord | null; readonly at: number } | null = null;

  constructor(inner: RemoteBackend, { ring, names, pins, spool, now = Date.now }: SealedOptions) {
    this.inner = inner;
    this.pins = pins;
    this.spool = spool;
    this.#names = names;
    this.#ring = ring;
    this.#now = now;
  }

  /** Null where encryption was never turned on, as far as this computer can know. */
  async policy(fresh = false): Promise<Policy | null> {
    const record = await this.record(fresh);
    const pin = this.pins.get();
    const policy = await judge(record, pin, this.pins.account(), this.#ring);
    if (policy === null || policy.change !== null) return policy;
    const { keyId, enabled, serial } = policy;
    if (pin?.keyId !== keyId || pin.enabled !== enabled || pin.serial !== serial) this.pins.put({ keyId, enabled, serial });
    return policy;
  }
  /** What the cloud says, whether it is to be believed or not. */
  async record(fresh = false): Promise<EncryptionRecord | null> {
    if (this.#record === null || fresh || this.#now() - this.#record.at > POLICY_MS) this.#record = { value: await this.inner.index.encryption(), at: this.#now() };
    return this.#record.value;
  }
  forgetPolicy(): void { this.#record = null; }
  forget(): void { this.#record = null; this.locked.clear(); this.mixed = false; }
  key(keyId: string): Promise<ArchiveKey | null> { return this.#ring.key(keyId); }
  /** The key that what is written now must be sealed with; null when it is to be plain. Throws ENCRYPTION_LOCKED, ENCRYPTION_CHANGED. */
  async sealingKey(fresh: boolean): Promise<ArchiveKey | null> {
    const policy = await this.policy(fresh);
    if (policy?.change != null) throw changed(policy.change);
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
  async openAll(rows: readonly RemoteArchive[]): Promise<readonly OpenedRow[]> {
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
  async rowsOf(projectId: string): Promise<readonly OpenedRow[]> {
    const found = await this.openAll(await this.inner.index.archives(projectId));
    for (const { row, archive } of found) {
      const keyId = keyIdOfArchive(row);
      if (keyId !== null && this.nameOf(projectId, archive.sha256, keyId) !== row.sha256) this.remember(projectId, archive.sha256, keyId, row.sha256);
    }
    return found;
  }

  /** The hash of the ciphertext that a content becomes with a key, as far as it is known; each key makes another one of it. */
  nameOf(projectId: string, sha256: string, keyId: string): string | null { return this.#names.of(projectId)[`${sha256}.${keyId}`] ?? null; }
  remember(projectId: string, sha256: string, keyId: string, name: string): void { this.#names.put(projectId, `${sha256}.${keyId}`, name); }
  /** Every known name of a project's contents, with the content and the key. */
  namesOf(projectId: string): readonly { readonly name: string; readonly sha256: string; readonly keyId: string }[] {
    return Object.entries(this.#names.of(projectId)).flatMap(([place, name]) => { const [sha256 = '', keyId] = place.split('.'); return keyId === undefined ? [] : [{ name, sha256, keyId }]; });
  }
  forgetName(projectId: string, sha256: string, keyId: string): void { this.#names.put(projectId, `${sha256}.${keyId}`, null); }
  forgetNames(projectId: string): void { this.#names.clear(projectId); }
}

export const locked = (): VesselError => new VesselError('ENCRYPTION_LOCKED');
export const isSealed = ({ sealed }: RemoteArchive): boolean => sealed !== undefined;
