import type { ExcludeConfig } from '#shared/archive-rules.ts';
import type { ErrorShape } from '#shared/errors.ts';
import type { WorkspaceInResult } from '#shared/guest-protocol.ts';
import type { Owner } from '#shared/archive-fields.ts';
import type { ArchiveLimits } from './archive-checks.ts';
import type { SaveResult } from './save.ts';
import type { SaveLimits } from './survey.ts';
import type { ScanResult } from './scan.ts';

/** One JSON line to the worker; `owner` is the workspace's user, null the worker's own. The worker answers each with one line before it reads the next. */
export type WorkerRequest =
  | { readonly op: 'extract'; readonly zip: string; readonly workspace: string; readonly limits: ArchiveLimits; readonly owner: Owner | null }
  | { readonly op: 'save'; readonly workspace: string; readonly exclude: ExcludeConfig; readonly limits: SaveLimits; readonly owner: Owner | null; readonly still: boolean }
  | { readonly op: 'scan'; readonly workspace: string; readonly exclude: ExcludeConfig; readonly stats: boolean }
  | { readonly op: 'warm' };

export type WorkerResults = { readonly extract: WorkspaceInResult; readonly save: SaveResult; readonly scan: ScanResult; readonly warm: null };
export type WorkerReply = { readonly ok: true; readonly result: unknown } | { readonly ok: false; readonly error: ErrorShape };

/**
 * The worker's descriptor for archive bytes; 0 and 1 carry the lines. It is an unlinked file in memory, shared with the agent and used as a ring of slots:
 * the worker fills one and sends a {@link ChunkLine}, the agent answers {@link FREE_LINE} when the bytes are in the client's socket. A pipe costs an emulated guest
 * several times more: it hands over 64 KB at a time, each in fresh memory, and a page fault takes some 75 µs there.
 */
export const RING_FD = 3;
export const SLOT_BYTES = 1024 * 1024;
export const SLOTS = 3;
export type ChunkLine = { readonly slot: number; readonly bytes: number };
/** How a chunk line begins, to tell it from a reply. */
export const CHUNK_PREFIX = '{"slot":';
export const FREE_LINE = 'free';
