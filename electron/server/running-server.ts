import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import type { ServerFile } from '#shared/server-file.ts';
import { readServerRecord } from './server-record.ts';

/** A server that has the lock but has not answered yet may still be starting. */
const APPEAR_DEADLINE_MS = 15_000;
const POLL_MS = 100;
const REQUEST_DEADLINE_MS = 3_000;

export type RunningServer = { readonly url: string; readonly baseUrl: string; readonly port: number; readonly pid: number };

/** The server that holds this home, with a fresh entry address. Throws ALREADY_RUNNING when it does not answer. */
export async function findRunningServer(home: string, deadlineMs = APPEAR_DEADLINE_MS): Promise<RunningServer> {
  const deadline = Date.now() + deadlineMs;
  let cause: unknown;
  do {
    const record = await readServerRecord(home);
    if (record !== null) {
      try {
        return { url: await entryUrl(record), baseUrl: record.baseUrl, port: record.port, pid: record.pid };
      } catch (error) {
        cause = error; // a stale record of a dead server, until the new one has written its own
      }
    }
    await sleep(POLL_MS);
  } while (Date.now() < deadline);
  throw new VesselError('ALREADY_RUNNING', 'Another Vessel holds this home but does not answer', { cause, details: { home } });
}

function entryUrl(record: ServerFile): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host: '127.0.0.1', port: record.port, path: '/api/call/app.url', method: 'POST', agent: false, timeout: REQUEST_DEADLINE_MS,
      headers: { host: `127.0.0.1:${record.port}`, authorization: `Bearer ${record.secret}`, 'content-length': 0 },
    }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const parsed = z.object({ value: z.object({ url: z.string() }) }).safeParse(parseJson(Buffer.concat(chunks).toString('utf8')));
        if (answer.statusCode === 200 && parsed.success) resolve(parsed.data.value.url);
        else reject(new Error(`the recorded server answered ${answer.statusCode ?? 0}`));
      });
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('the recorded server did not answer in time')));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // the schema refuses it
  }
}
