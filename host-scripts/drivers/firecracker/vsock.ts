import { once } from 'node:events';
import { createConnection } from 'node:net';
import type { Socket } from 'node:net';
import { VesselError } from '#shared/errors.ts';

const HANDSHAKE_MS = 5_000;
const MAX_ANSWER = 64;

/**
 * A stream to a port inside of a guest: firecracker's unix socket takes `CONNECT <port>` and answers `OK <number>`, or closes when nobody
 * listens there. Rejects with GUEST_UNREACHABLE.
 */
export async function dialVsock(socketPath: string, port: number): Promise<Socket> {
  const socket = createConnection(socketPath);
  const signal = AbortSignal.timeout(HANDSHAKE_MS);
  try {
    await once(socket, 'connect', { signal });
    socket.write(`CONNECT ${port}\n`);
    let answer = '';
    while (!answer.includes('\n')) {
      if (answer.length > MAX_ANSWER) throw new Error('it does not speak the handshake');
      // Byte by byte: what follows the line belongs to whoever asked.
      const chunk = socket.read(1) as Buffer | null;
      if (chunk !== null) answer += chunk.toString('latin1');
      else if (socket.readableEnded || socket.destroyed) throw new Error('nobody listens there');
      else await Promise.race([once(socket, 'readable', { signal }), once(socket, 'end', { signal }), once(socket, 'close', { signal })]);
    }
    if (!/^OK \d+\n$/.test(answer)) throw new Error(`it answered ${JSON.stringify(answer)}`);
    return socket;
  } catch (error) {
    socket.destroy();
    throw new VesselError('GUEST_UNREACHABLE', `no vsock connection to port ${port}: ${VesselError.from(error).message}`, { cause: error });
  }
}
