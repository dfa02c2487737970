import type { ExcludeConfig } from '#shared/archive-rules.ts';
import type { ErrorShape } from '#shared/errors.ts';
import type { WorkspaceInResult } from '#shared/guest-protocol.ts';
import type { ArchiveLimits } from './archive-checks.ts';
import type { SaveResult } from './save.ts';
import type { ScanResult } from './scan.ts';

/** One JSON line to the worker. The worker answers each with one line before it reads the next. */
export type WorkerRequest =
  | { readonly op: 'extract'; readonly zip: string; readonly workspace: string; readonly limits: ArchiveLimits }
  | { readonly op: 'save'; readonly workspace: string; readonly exclude: ExcludeConfig }
  | { readonly op: 'scan'; readonly workspace: string; readonly exclude: ExcludeConfig; readonly stats: boolean }
  | { readonly op: 'warm' };

export type WorkerResults = { readonly extract: WorkspaceInResult; readonly save: SaveResult; readonly scan: ScanResult; readonly warm: null };
export type WorkerReply = { readonly ok: true; readonly result: unknown } | { readonly ok: false; readonly error: ErrorShape };

/** The worker's descriptor for archive bytes; 0 and 1 carry the lines. */
export const DATA_FD = 3;
