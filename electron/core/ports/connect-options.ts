import type { Prompter } from './prompter.ts';

/** What a connection to a machine over SSH may ask for. */
export type ConnectOptions = {
  /** Who answers questions; null lets every question fail with its code. */
  readonly prompter: Prompter | null;
  /** Fingerprints (`SHA256:…`) a person has confirmed. Only these, and only for unknown keys, are accepted and remembered. */
  readonly acceptHostKeys: readonly string[];
  readonly signal?: AbortSignal;
};
