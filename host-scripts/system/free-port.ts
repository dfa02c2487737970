import { createServer } from 'node:net';

/** Ports given out by this process and not yet bound by their user: two starts at once must not get the same one. */
const reserved = new Set<number>();
/** Long enough for a forwarder to bind its port, short enough that numbers come back. */
const RESERVATION_MS = 30_000;

function probe(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port')));
    });
  });
}

/** A TCP port of 127.0.0.1 that was free a moment ago and that no other start of this process was given. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await probe();
    if (reserved.has(port)) continue;
    reserved.add(port);
    setTimeout(() => reserved.delete(port), RESERVATION_MS).unref();
    return port;
  }
}
