import type { IncomingMessage } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';
import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import { GuestActivitySchema, GuestHealthSchema, GuestMetricsSchema, GuestPortsSchema, GuestProgramsSchema, GuestStillSchema, WorkspaceInResultSchema, WorkspaceOutSummarySchema, type WorkspaceOutSummary } from '#shared/guest-protocol.ts';
import { guestFailure, parseGuestJson } from '#shared/guest-text.ts';
import type { GuestClient, GuestConnector } from '../../ports/guest.ts';
import { GuestAgentPool } from './guest-agent-pool.ts';
import { startExec } from './guest-exec.ts';
import { guestError, late, send, sendForJson, watchPace } from './guest-request.ts';
import { GUEST_PATIENCE, type GuestPatience } from './patience.ts';

/** What one workspace may hold in memory on its way out. */
const READ_AHEAD_BYTES = 1024 * 1024;

/** A client of one guest's agent. The token goes into a header and nowhere else. */
export const connectGuest: GuestConnector = (target) => guestConnector(GUEST_PATIENCE)(target);

/** The same with another patience: tests do not wait for minutes. */
export const guestConnector = (patience: GuestPatience): GuestConnector => ({ dial, token }) => {
  const pool = new GuestAgentPool(dial);
  const ask = <S extends z.ZodType>(path: string, schema: S, signal: AbortSignal | undefined): Promise<z.output<S>> =>
    sendForJson(pool, token, { method: 'GET', path, signal, patience, quietMs: patience.questionMs }, schema);
  const tell = <S extends z.ZodType>(method: 'POST' | 'PUT', path: string, body: object, schema: S, quietMs: number, signal: AbortSignal | undefined): Promise<z.output<S>> =>
    sendForJson(pool, token, { method, path, body: JSON.stringify(body), headers: { 'content-type': 'application/json' }, signal, patience, quietMs }, schema);
  const client: GuestClient = {
    health: (options) => ask('health', GuestHealthSchema, options?.signal),
    activity: ({ signal, look = false } = {}) => sendForJson(pool, token, { method: 'GET', path: look ? 'activity?look=1' : 'activity', signal, patience, quietMs: look ? patience.quietMs : patience.questionMs }, GuestActivitySchema),
    metrics: (options) => ask('metrics', GuestMetricsSchema, options?.signal),
    ports: async (options) => (await ask('ports', GuestPortsSchema, options?.signal)).ports,

    putWorkspace: (zip, { links, bytes, maxBytes, maxEntries, signal }) => sendForJson(pool, token, {
      method: 'PUT', path: `workspace?links=${links}&maxBytes=${maxBytes}&maxEntries=${maxEntries}`, body: zip, signal, patience, quietMs: patience.quietMs,
      headers: { 'content-type': 'application/zip', ...(bytes === null ? {} : { 'content-length': bytes }) },
    }, WorkspaceInResultSchema),

    async saveWorkspace(exclude, limits, options) {
      const response = await send(pool, token, {
        method: 'POST', path: 'workspace/save', body: JSON.stringify({ exclude, limits }), signal: options?.signal, patience, quietMs: patience.quietMs,
        headers: { 'content-type': 'application/json', te: 'trailers' },
      });
      return followSave(response, patience, options?.signal);
    },

    programs: (watchMs, options) => ask(`programs?watchMs=${watchMs}`, GuestProgramsSchema, options?.signal),
    endPrograms: (waitMs, options) => tell('POST', 'programs/end', { waitMs }, GuestProgramsSchema, patience.questionMs + waitMs, options?.signal),
    holdStill: (leaseMs, options) => tell('PUT', 'still', { leaseMs }, GuestStillSchema, patience.stillMs, options?.signal),
    // Without a body: Node sends one of a DELETE unframed, and the connection is spoilt for the next call.
    release: async (options) => { await sendForJson(pool, token, { method: 'DELETE', path: 'still', signal: options?.signal, patience, quietMs: patience.stillMs }, z.object({})); },
    exec: (request, options) => startExec({ dial, token, startMs: patience.startMs }, request, options?.signal),
    close: () => pool.destroy(),
  };
  return client;
};

/** The stream of a save with its trailer: a stream that was cut, or has no trailer, is an error of both halves. */
function followSave(response: IncomingMessage, patience: GuestPatience, signal: AbortSignal | undefined): { readonly content: Readable; readonly summary: Promise<WorkspaceOutSummary> } {
  const content = new PassThrough({ highWaterMark: READ_AHEAD_BYTES });
  const summary = new Promise<WorkspaceOutSummary>((resolve, reject) => {
    response.once('end', () => {
      try {
        resolve(parseTrailers(response));
        content.end();
      } catch (error) {
        const known = VesselError.from(error);
        reject(known);
        // What came so far is no archive; its reader shall hear why, not that it was cut.
        content.destroy(known);
      }
    });
    response.once('close', () => reject(guestError(new Error('the stream of the workspace was cut'), signal)));
    response.once('error', (error) => reject(guestError(error, signal)));
  });
  // The transcoder awaits it after the last byte; until then a rejection is not yet anybody's.
  summary.catch(() => undefined);
  // The saver opens its file before it reads: a guest that dies in between must not end Vessel with an unheard error event.
  // The reader is told all the same, for the stream remembers why it was destroyed.
  content.on('error', () => undefined);
  // Not `pipeline`: it would hand on the raw transport error before it can be named.
  response.once('error', (error) => content.destroy(guestError(error, signal)));
  const stopWatching = watchPace(() => response.destroy(late('workspace/save', patience.paceMs)), patience.paceMs, response, () => !content.writableNeedDrain);
  response.once('close', stopWatching);
  content.once('close', () => response.destroy());
  response.pipe(content, { end: false });
  return { content, summary };
}

function parseTrailers({ trailers }: IncomingMessage): WorkspaceOutSummary {
  const failure = trailers['x-vessel-error'];
  if (failure !== undefined) throw guestFailure(parseTrailer(failure)) ?? new VesselError('ARCHIVE_CORRUPT', 'The guest ended the workspace stream with an error of an unknown shape');
  const trailer = trailers['x-vessel-summary'];
  if (trailer === undefined) throw new VesselError('ARCHIVE_CORRUPT', 'The guest ended the workspace stream without its summary', { hint: 'Save again: the workspace in the guest is untouched.' });
  const parsed = WorkspaceOutSummarySchema.safeParse(parseTrailer(trailer));
  if (!parsed.success) throw new VesselError('ARCHIVE_CORRUPT', 'The summary of the workspace stream has an unknown shape', { cause: parsed.error });
  return parsed.data;
}

const parseTrailer = (text: string): unknown => parseGuestJson(Buffer.from(text, 'base64url'));
