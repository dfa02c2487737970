/** How long a secret is kept: until Vessel ends, or until it is removed. */
export type SecretLifetime = 'session' | 'forever';

/**
 * Where passphrases and passwords rest, by a name such as `ssh-passphrase:/home/ada/.ssh/id_ed25519`. Nothing else in
 * Vessel keeps them, and none of them is ever logged, put into arguments or shown to the renderer.
 */
export type SecretStore = {
  get(name: string): Promise<string | null>;
  put(name: string, value: string, lifetime: SecretLifetime): Promise<void>;
  /** Forgets it wherever it is kept; a no-op when it is not known. */
  remove(name: string): Promise<void>;
};
