import type { Duplex, Readable, Writable } from 'node:stream';
import type { HostConnection, HostProbe, HostSsh } from '#shared/contract.ts';
import type { ConnectOptions } from './connect-options.ts';
import type { HostKeeper } from './host-keeper.ts';
import type { HostLink } from './host-link.ts';

export type { ConnectOptions } from './connect-options.ts';

export type RemoteExit = { readonly code: number | null; readonly signal: string | null };

/** One command on the host. Both outputs must be read to their end, or the command waits for its reader. */
export type RemoteProcess = {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves after the command ended and its output was read. Rejects with SSH_CONNECTION_LOST when the line broke first. */
  readonly exit: Promise<RemoteExit>;
  /** Sends a signal by its name (`TERM`, `KILL`). OpenSSH ignores it before 7.9, and for sessions of root. */
  signal(name: string): void;
  /** Drops the channel and rejects `exit` with CANCELLED. The command sees its pipes closed, no more: one that never looks at them runs on. */
  close(): void;
};

export type RemoteRunOptions = {
  readonly stdin?: string | Buffer | Readable;
  readonly signal?: AbortSignal;
  /** Milliseconds; then TIMEOUT. */
  readonly deadlineMs?: number;
};
/** stdout and stderr as UTF-8, each the last 1 MiB at most. */
export type RemoteRunResult = RemoteExit & { readonly stdout: string; readonly stderr: string };

export type UploadOptions = {
  /** Lower-case hex of the whole content, asked for again on the host after the last byte. */
  readonly sha256: string;
  readonly bytes: number;
  /** Permissions of the finished file, e.g. 0o755. */
  readonly mode: number;
  readonly signal?: AbortSignal;
  /** Bytes that are safely on the host. */
  readonly onProgress?: (bytes: number) => void;
};
export type UploadResult = {
  /** Bytes that an earlier, broken upload had left and that were not sent again. */
  readonly resumedFrom: number;
  /** False when the host already had exactly this file. */
  readonly sent: boolean;
};

/**
 * A machine that is reached over SSH: one kept connection, made when first needed, made again when it broke.
 *
 * Everything rejects with the code of what stands in the way (SSH_…, HOST_KEY_…), with SSH_CONNECTION_LOST when the line
 * breaks in the middle, with CANCELLED when a signal aborts. Nothing is ever retried that may have had an effect.
 */
export type RemoteHost = {
  readonly hostId: string;
  readonly connection: HostConnection;
  /** Returns the unsubscribe function. */
  onConnection(listener: (connection: HostConnection) => void): () => void;
  /** Connects if need be, asking whom `options` names. Callers at the same time share one attempt. */
  connect(options: ConnectOptions): Promise<void>;
  /** Starts a program by its argument array: no shell sees unquoted text. */
  exec(argv: readonly string[], options?: { readonly signal?: AbortSignal }): Promise<RemoteProcess>;
  /** Runs a program to its end. A non-zero exit is a result, not an error. */
  run(argv: readonly string[], options?: RemoteRunOptions): Promise<RemoteRunResult>;
  /** A byte stream to an address that the host can reach. Rejects with GUEST_UNREACHABLE, FORWARDING_FORBIDDEN. */
  forward(host: string, port: number): Promise<Duplex>;
  /**
   * Puts a local file on the host: streamed, resumed after a break of the line or of Vessel, compared by SHA-256, renamed
   * into place at the end. The folder must exist. Throws DISK_FULL, HOST_PERMISSION, ARCHIVE_CORRUPT.
   */
  upload(localPath: string, remotePath: string, options: UploadOptions): Promise<UploadResult>;
  /** What this machine is, by looking; changes nothing on it. */
  probe(signal?: AbortSignal): Promise<HostProbe>;
  /** Ends the connection and every command on it. */
  dispose(): Promise<void>;
};

/** Makes what services need for a host of kind `ssh`. */
export type RemoteHosts = {
  /** Does not connect. Throws BAD_REQUEST or SSH_CONFIG_INVALID when the target makes no sense. `link` ends before `host` is disposed. */
  make(hostId: string, ssh: HostSsh): { readonly host: RemoteHost; readonly link: HostLink; readonly keeper: HostKeeper };
  /** The name of the machine in a target, for people. Throws BAD_REQUEST. */
  nameOf(target: string): string;
  /** Takes what Vessel keeps about the target off its own files: confirmed host key, password. */
  forget(ssh: HostSsh): Promise<void>;
};
