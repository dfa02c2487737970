/** What of the process and its user decides how hosts are reached; passed in, so that tests own it. */
export type SshEnvironment = {
  readonly homeDirectory: string;
  readonly localUser: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `~/.ssh/config` first, then the system's. */
  readonly configFiles: readonly string[];
  readonly globalKnownHostsFiles: readonly string[];
};
