import { request as httpRequest, type Agent } from 'node:http';

/** Longer than the slowest emulated guest needs for its biggest file. */
const DEADLINE_MS = 30_000;

/** Reads one file out of the guest. Null when it answers anything but 200, or more or fewer than `bytes` bytes. */
export function fetchFromGuest(input: { readonly agent: Agent; readonly token: string; readonly host: string; readonly path: string; readonly bytes: number }): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const outgoing = httpRequest({
      agent: input.agent, path: input.path, setHost: false, timeout: DEADLINE_MS,
      headers: { host: input.host, authorization: `Bearer ${input.token}`, 'accept-encoding': 'identity' },
    }, (answer) => {
      if (answer.statusCode !== 200) {
        answer.resume();
        resolve(null);
        return;
      }
      const chunks: Buffer[] = [];
      let received = 0;
      answer.on('data', (chunk: Buffer) => {
        received += chunk.length;
        if (received > input.bytes) outgoing.destroy();
        else chunks.push(chunk);
      });
      answer.on('end', () => resolve(received === input.bytes ? Buffer.concat(chunks) : null));
      answer.on('close', () => resolve(null));
    });
    // Whatever went wrong, the request itself is then passed to the guest, and its failure is shown there.
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => resolve(null));
    outgoing.end();
  });
}
