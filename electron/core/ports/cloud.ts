import type { ArchiveKeys, EncryptionPins, SealedNames } from './encryption.ts';
import type { RemoteBackend, RemoteKind, UploadJournal } from './remote-store.ts';
import type { SecretStore } from './secret-store.ts';

export type CloudUser = { readonly userId: string; readonly email: string };
export type Device = { readonly id: string; readonly name: string };

/** The account of a cloud project. Every method that asks the network throws CLOUD_OFFLINE without one. */
export type CloudAccount = {
  readonly user: CloudUser | null;
  /** Reads the kept session; needs no network. */
  load(): Promise<CloudUser | null>;
  /** Null when the address must be confirmed first. Throws CLOUD_REFUSED. */
  signUp(email: string, password: string): Promise<CloudUser | null>;
  signIn(email: string, password: string): Promise<CloudUser>;
  sendReset(email: string): Promise<void>;
  finishReset(email: string, code: string, password: string): Promise<CloudUser>;
  signOut(): Promise<void>;
};

export type SupabaseSettings = { readonly url: string; readonly publishableKey: string };
export type S3Settings = { readonly endpoint: string; readonly region: string; readonly bucket: string; readonly prefix: string; readonly accessKeyId: string };

/** Makes the back ends; none of it asks the network. */
export type CloudConnector = {
  /** The name of this computer for the other devices. */
  readonly deviceName: string;
  supabase(settings: SupabaseSettings, device: Device, journal: UploadJournal): { readonly account: CloudAccount; readonly backend: RemoteBackend };
  s3(settings: S3Settings, secretAccessKey: string, device: Device, journal: UploadJournal): RemoteBackend;
  readonly secrets: SecretStore;
  /** Keys of encrypted archives. */
  readonly keys: ArchiveKeys;
  /** The same back end, seen through the key of its account where archives are encrypted. */
  sealed(backend: RemoteBackend, names: SealedNames, pins: EncryptionPins): RemoteBackend;
};

/** The back end of a kind, if it is set up and somebody is signed in. */
export type Backends = (kind: RemoteKind) => RemoteBackend | null;
