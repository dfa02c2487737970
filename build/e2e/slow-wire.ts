import { createServer, connect, type Socket } from 'node:net';

/**
 * A wire with distance between a client and `port` of loopback, for machines whose kernel has no netem: every segment arrives half a round trip later, and
 * a lost one a whole round trip after that (a fast retransmit), with all that was sent behind it waiting, as TCP's order demands.
 * What it leaves out: a congestion window, so that loss costs no bandwidth here, and retransmission time-outs of a lost last segment.
 */
export type SlowWire = { readonly port: number; /** Segments that were lost so far. */ lost(): number; close(): Promise<void> };
export type Distance = { readonly rttMs: number; /** 0–1. */ readonly loss: number };

/** Of a connection over Ethernet. */
const SEGMENT_BYTES = 1448;
/** As much may be under way in each direction; the sender then waits, as for a full window. */
const WINDOW_BYTES = 4 * 1024 * 1024;

export async function startSlowWire(port: number, { rttMs, loss }: Distance): Promise<SlowWire> {
  const ends = new Set<Socket>();
  let lost = 0;
  // The same losses in each run: mulberry32.
  let seed = 1;
  const random = (): number => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const carry = (from: Socket, to: Socket): void => {
    const underWay: { readonly at: number; readonly data: Buffer | null }[] = [];
    let bytes = 0;
    let last = 0;
    let timer: NodeJS.Timeout | null = null;
    const deliver = (): void => {
      timer = null;
      const now = performance.now();
      for (let next = underWay[0]; next !== undefined && next.at <= now; next = underWay[0]) {
        underWay.shift();
        if (next.data === null) to.end();
        else { bytes -= next.data.length; to.write(next.data); }
      }
      if (bytes < WINDOW_BYTES) from.resume();
      const first = underWay[0];
      if (first !== undefined) timer = setTimeout(deliver, Math.max(1, first.at - performance.now()));
    };
    const send = (data: Buffer | null): void => {
      let at = performance.now() + rttMs / 2;
      const segments = data === null ? 0 : Math.ceil(data.length / SEGMENT_BYTES);
      for (let index = 0; index < segments; index += 1) if (random() < loss) { lost += 1; at += rttMs; break; }
      last = Math.max(last, at);
      underWay.push({ at: last, data });
      timer ??= setTimeout(deliver, Math.max(1, last - performance.now()));
    };
    from.on('data', (data) => { bytes += data.length; send(data); if (bytes >= WINDOW_BYTES) from.pause(); });
    from.on('end', () => send(null));
    from.on('close', () => { if (timer !== null) clearTimeout(timer); setTimeout(() => to.destroy(), rttMs / 2).unref(); });
    from.on('error', () => undefined);
  };
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    for (const end of [near, far]) { ends.add(end); end.on('close', () => ends.delete(end)); }
    carry(near, far);
    carry(far, near);
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port, lost: () => lost,
    close: () => new Promise((resolve) => { server.close(() => resolve()); for (const end of ends) end.destroy(); }),
  };
}
