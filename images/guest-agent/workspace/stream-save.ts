import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { z } from 'zod';
import type { Owner } from '#shared/archive-fields.ts';
import type { ExcludeConfig, LeftOut } from '#shared/archive-rules.ts';
import type { WorkspaceOutSummarySchema } from '#shared/guest-protocol.ts';
import { VesselError } from '#shared/vessel-error.ts';
import type { ChangeCounter } from './change-counter.ts';
import { cleanMappedPages } from './mapped-files.ts';
import type { SaveLimits } from './survey.ts';
import type { WorkerLink } from './worker-link.ts';

type Summary = z.infer<typeof WorkspaceOutSummarySchema>;

/**
 * HTTP clients count trailers as headers, and Node's own refuses more than 16 KB of them: lists that would not fit are cut, and their
 * last row says how many more there are.
 */
const MAX_LIST_BYTES = 3500;

const MAX_ERROR_BYTES = 12_000;

function fitted<T>(list: readonly T[], rest: (count: number) => T): T[] {
  const kept: T[] = [];
  let bytes = 0;
  for (const item of list) {
    bytes += Buffer.byteLength(JSON.stringify(item)) + 1;
    if (bytes > MAX_LIST_BYTES) return [...kept, rest(list.length - kept.length)];
    kept.push(item);
  }
  return kept;
}

export type StreamSaveOptions = {
  readonly link: WorkerLink;
  readonly changes: ChangeCounter;
  readonly workspace: string;
  readonly exclude: ExcludeConfig;
  readonly limits: SaveLimits;
  readonly owner: Owner | null;
  /** Nothing in the workspace moves, and nothing may be written beside it either. */
  readonly still: boolean;
  readonly response: ServerResponse;
};

/** The error as a trailer that fits: details only as long as they do. */
function encodeError(error: VesselError): string {
  const { details, ...shape } = error.toShape();
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const full = encode({ ...shape, details });
  return full.length <= MAX_ERROR_BYTES ? full : encode({ ...shape, message: shape.message.slice(0, MAX_LIST_BYTES / 2), logTail: [], details: {} });
}

/**
 * Streams one save to the client, and then the summary, or the error that ended it midway. When the client goes away no trailer is sent and the
 * worker starts afresh.
 */
export async function streamSave({ link, changes, workspace, exclude, limits, owner, still, response }: StreamSaveOptions): Promise<void> {
  await link.exclusively(async (ask) => {
    // Changes that are waiting to be noticed belong to the time before this save.
    await nextTurn();
    const counterAtStart = changes.read();
    // In this order: what is written into a map before its page is cleaned is in what is read, and what is written after that is dated later than the base.
    const base = await ask<'scan'>({ op: 'scan', workspace, exclude, stats: true });
    if (!still) await cleanMappedPages(workspace);
    const { promise: gone, reject: onGone } = Promise.withResolvers<never>();
    let forwarded = 0;
    const forward = (chunk: Buffer, done: () => void): void => {
      if (!response.headersSent) response.writeHead(200, { 'content-type': 'application/zip', 'cache-control': 'no-store', trailer: 'x-vessel-summary, x-vessel-error' });
      forwarded += chunk.length;
      // The worker may fill the slot again once the kernel has the bytes: that is the back-pressure.
      response.write(chunk, (error) => { if (error === null || error === undefined) done(); });
    };
    const onClose = (): void => onGone(new VesselError('CANCELLED', 'the client went away'));
    // The race below may be over when this rejects.
    gone.catch(() => undefined);
    response.on('close', onClose);
    try {
      if (response.destroyed) onClose();
      const result = await Promise.race([ask<'save'>({ op: 'save', workspace, exclude, limits, owner, still }, forward), gone]);
      if (forwarded !== result.archiveBytes) throw new VesselError('INTERNAL', 'bytes of the archive went missing on the way');
      const changeCounter = changes.noteSave(result.fingerprint, counterAtStart);
      changes.noteBase(base.fingerprint, changeCounter);
      const summary: Summary = {
        entries: result.entries, files: result.files, contentBytes: result.contentBytes,
        leftOut: fitted<LeftOut>(result.leftOut, (count) => ({ path: '…', reason: `and ${count} more` })),
        changedWhileReading: fitted<string>(result.changedWhileReading, (count) => `… and ${count} more`),
        warnings: fitted<string>(result.warnings, (count) => `… and ${count} more`),
        changeCounter,
      };
      response.addTrailers({ 'x-vessel-summary': Buffer.from(JSON.stringify(summary)).toString('base64url') });
      response.end();
    } catch (error) {
      const known = VesselError.from(error);
      if (known.code === 'CANCELLED' || !response.headersSent) {
        // What the worker still sends belongs to nobody.
        if (known.code === 'CANCELLED') link.abort();
        throw error;
      }
      // The worker has said why it stopped, and is free again: the reader learns it after the last byte.
      response.addTrailers({ 'x-vessel-error': encodeError(known) });
      response.end();
    } finally {
      response.off('close', onClose);
    }
  });
}
