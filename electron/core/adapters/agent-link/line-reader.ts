import type { Readable } from 'node:stream';

/** A line longer than this is a defect of the other side, not a message (the largest real one is a provisioning step list). */
const MAX_LINE_BYTES = 8 * 1024 * 1024;

/** Calls `onLine` for every complete line of a byte stream, `onOverflow` when a line never ends. */
export function readLines(stream: Readable, onLine: (line: string) => void, onOverflow: () => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) if (line.trim() !== '') onLine(line);
    if (rest.length > MAX_LINE_BYTES) { rest = ''; onOverflow(); }
  });
}
