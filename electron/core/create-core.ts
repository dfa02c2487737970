import type { Readable } from 'node:stream';
import type { Handlers } from '#shared/contract.ts';
import type { Gateway } from './ports/gateway.ts';

export type CoreOptions = {
  /** State: database, cold store, session secret, host runtime. */
  readonly home: string;
  /** Rebuildable things: golden images, templates, IDE files. */
  readonly cache: string;
  /** Wanted gateway port; null = 80 if possible, else the remembered one, else a free one. */
  readonly port: number | null;
  /** How to run infra-agent on this computer, e.g. [node, 'out/host/infra-agent.mjs']. */
  readonly agentCommand: readonly string[];
  /** `process` runs guests without a VM: tests only. */
  readonly driver: 'qemu' | 'process';
  readonly log: (line: string) => void;
};

/** All that Vessel does, for any door. */
export type Core = {
  readonly handlers: Handlers;
  readonly gateway: Gateway;
  /** Streams of the HTTP door that do not fit a JSON call. */
  importZip(content: Readable, options: { readonly name: string; readonly signal: AbortSignal }): Promise<{ readonly projectId: string; readonly operationId: string }>;
  openRevision(projectId: string, rev: number | null): Promise<{ readonly content: Readable; readonly bytes: number; readonly fileName: string; readonly sha256: string }>;
  /** Ends operations, leaves running environments alone, closes the database. Idempotent. */
  dispose(): Promise<void>;
};

export type CreateCore = (options: CoreOptions) => Promise<Core>;
