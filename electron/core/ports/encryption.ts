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

/** What this computer last knew for sure of the encryption of an account, so that a cloud alone cannot switch it off. */
export type EncryptionPin = { readonly keyId: string; readonly enabled: boolean; /** Of the newest statement that was seen; an older one is no news. */ readonly serial: number };
/** The pin of the account that is in use now. `account` names it the same way on all of its computers: what is said of one account proves nothing for another. */
export type EncryptionPins = { account(): string; get(): EncryptionPin | null; put(pin: EncryptionPin | null): void };
/** How a record differs from the pin without a proof: it is gone, says "off", or names a key that is not on this computer. */
export type EncryptionChange = 'gone' | 'off' | 'key';

/** Names of encrypted objects, by project and by the hash of their content and the id of the key; rebuilt from the rows when they are lost. */
export type SealedNames = { of(projectId: string): Readonly<Record<string, string>>; put(projectId: string, place: string, sealedSha256: string | null): void; clear(projectId: string): void };

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
  /**
   * What holds, asked for again when it is older than half a minute or `fresh`; whether its key is here; and the key that the cloud names, which
   * is another one only after a `change` that a person has to judge.
   */
  policy(fresh?: boolean): Promise<{ readonly keyId: string; readonly enabled: boolean; readonly unlocked: boolean; readonly change: EncryptionChange | null; readonly named: string | null } | null>;
  /** Throws ENCRYPTION_CHANGED when nothing may be uploaded until a person has chosen. */
  requireUnchanged(): Promise<void>;
  /** Turns it on or off for the account, with a statement that only the key can make. Throws CONFLICT when another device came first. */
  set(keyId: string, enabled: boolean): Promise<void>;
  /** The keys that rows of the account are encrypted with, whether they are here or not. */
  keysInUse(signal?: AbortSignal): Promise<ReadonlySet<string>>;
  /** Every project, and how many of its archives are not in the wanted form. Throws ENCRYPTION_LOCKED. */
  survey(signal: AbortSignal): Promise<readonly { readonly projectId: string; readonly todo: number; readonly done: number }[]>;
  /**
   * Brings the archives and the row of a project into the form that the record wants: uploads each in its new form, verifies it, records
   * it, moves the pointer by compare-and-swap, and only then removes the old form. Goes on wherever an earlier attempt ended.
   */
  convert(projectId: string, options: ConvertOptions): Promise<number>;
  /** Another account is in use: what was read of the one before holds no longer. */
  forget(): void;
  /** The account was emptied from this computer: its encryption ends without a question. */
  end(): void;
  /** Projects that were seen and cannot be read. */
  readonly locked: ReadonlySet<string>;
  /** True when the list of projects held a readable one although all should be encrypted; tells it once. */
  takeMixed(): boolean;
};
