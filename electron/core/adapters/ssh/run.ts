import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { VesselError } from '#shared/errors.ts';
import type { RemoteProcess, RemoteRunOptions, RemoteRunResult } from '../../ports/remote-host.ts';

/** More belongs into a stream, not into memory. */
const MAX_OUTPUT_BYTES = 1024 * 1024;

/** Feeds a started command, reads it to its end, and ends it when it is cancelled or late. */
export async function runToEnd(process: RemoteProcess, { stdin, signal, deadlineMs }: RemoteRunOptions): Promise<RemoteRunResult> {
  let halt: (error: VesselError) => void = () => undefined;
  const halted = new Promise<never>((_resolve, reject) => { halt = reject; });
  halted.catch(() => undefined); // nobody may be waiting any more
  const stop = (error: VesselError): void => {
    halt(error);
    process.signal('TERM');
    process.close();
  };
  const onAbort = (): void => stop(new VesselError('CANCELLED'));
  const timer = deadlineMs === undefined ? null : setTimeout(() => stop(new VesselError('TIMEOUT', `The command on the host took longer than ${deadlineMs} ms`)), deadlineMs);
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted === true) onAbort();
  try {
    const output = Promise.all([tail(process.stdout), tail(process.stderr)]);
    // A command that ends without reading its input is no failure.
    const input = stdin === undefined ? Promise.resolve(process.stdin.end()) : pipeline(stdin instanceof Readable ? stdin : Readable.from([stdin]), process.stdin).catch(() => undefined);
    const [[stdout, stderr], exit] = await Promise.race([halted, Promise.all([output, process.exit])]);
    await Promise.race([halted, input]);
    return { ...exit, stdout, stderr };
  } finally {
    if (timer !== null) clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

async function tail(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    while (chunks.length > 1 && size - (chunks[0]?.length ?? 0) > MAX_OUTPUT_BYTES) size -= chunks.shift()?.length ?? 0;
  }
  return Buffer.concat(chunks).subarray(-MAX_OUTPUT_BYTES).toString('utf8');
}
