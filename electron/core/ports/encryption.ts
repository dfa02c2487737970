import type { EncryptionRecord } from './remote-store.ts';

/** The keys of this computer for archives in clouds, by their ids. Services see ids, and a phrase only where a person reads or types one. */
export type ArchiveKeys = {
  has(keyId: string): Promise<boolean>;
  /** A new key that nobody keeps yet, as the phrase that is its secret. */
  make(): { readonly keyId: string; readonly phrase: string };
  /** Throws ENCRYPTION_PHRASE_INVALID. */
  keyIdOf(phrase: string): string;
  /** Keeps the key of a phrase in the SecretStore. Throws ENCRYPTION_PHRASE_INVALID. */
  keep(phrase: string): Promise<string>;
};

/** Names of encrypted objects, by project and by the hash of their content; rebuilt from the rows when they are lost. */
export type SealedNames = { of(projectId: string): Readonly<Record<string, string>>; put(projectId: string, sha256: string, sealedSha256: string | null): void; clear(projectId: string): void };

/** How the archives of a project stand: those that are still in the other form than wanted. */
export type ConvertOptions = {
  /** A file of this computer with that content, to save the download; null when there is none. */
  readonly localPath: (projectId: string, sha256: string) => string | null;
  readonly signal: AbortSignal;
  readonly onArchive: () => void;
  /** Crash points of tests. */
  readonly fault: (point: string) => void;
};

/** What of a back end is about its encryption. */
export type BackendEncryption = {
  /** The record, asked for again when it is older than half a minute or `fresh`; and whether its key is here. */
  policy(fresh?: boolean): Promise<(EncryptionRecord & { readonly unlocked: boolean }) | null>;
  /** Turns it on or off for the account. Throws CONFLICT when another device came first. */
  set(keyId: string, enabled: boolean): Promise<void>;
  /** Every project, and how many of its archives are not in the wanted form. Throws ENCRYPTION_LOCKED. */
  survey(signal: AbortSignal): Promise<readonly { readonly projectId: string; readonly todo: number; readonly done: number }[]>;
  /**
   * Brings the archives and the row of a project into the form that the record wants: uploads each in its new form, verifies it, records
   * it, moves the pointer by compare-and-swap, and only then removes the old form. Goes on wherever an earlier attempt ended.
   */
  convert(projectId: string, options: ConvertOptions): Promise<number>;
  /** Somebody else signed in, or the account was emptied: nothing that is known holds any more. */
  forget(): void;
  /** Projects that were seen and cannot be read. */
  readonly locked: ReadonlySet<string>;
  /** True when the list of projects held a readable one although all should be encrypted; tells it once. */
  takeMixed(): boolean;
};
