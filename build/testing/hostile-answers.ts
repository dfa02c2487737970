import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WorkspaceOutSummary } from '#shared/guest-protocol.ts';

/** What is asked; the misbehavior answers it, or lets the honest agent do so. */
export type Exchange = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly socket: Duplex;
  /** A server of the test that no host may ever visit. */
  readonly canary: string;
};

export const HONEST_FILE = { name: 'honest.txt', data: 'as it should be\n' };
export const honestSummary = (counter: number): WorkspaceOutSummary => ({ entries: 1, files: 1, contentBytes: HONEST_FILE.data.length, leftOut: [], changedWhileReading: [], changeCounter: counter });

export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(typeof value === 'string' ? value : JSON.stringify(value));
}

/** A whole save with the bytes and the summary given. */
export function sendSave(response: ServerResponse, zip: Buffer, summary: unknown): void {
  response.writeHead(200, { trailer: 'x-vessel-summary' });
  response.write(zip);
  response.addTrailers({ 'x-vessel-summary': Buffer.from(JSON.stringify(summary)).toString('base64url') });
  response.end();
}
