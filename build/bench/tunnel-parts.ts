// The three parties of the tunnel bench besides the client, each on a thread of its own: a server, Vessel's tunnel, nothing else.
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { SshHostLink } from '../../electron/core/adapters/ssh/ssh-host-link.ts';
import { hostOf, person, withKeys } from '../../electron/core/adapters/ssh/testing/client.ts';

export const BIG_BYTES = 64 * 1024 * 1024;
export const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello';
export const ASK = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';

type Role = { readonly role: 'server' } | { readonly role: 'tunnel'; readonly target: string; readonly key: string; readonly fingerprint: string; readonly to: number };

/** Starts a party; resolves with its port on loopback. */
export async function startParty(role: Role): Promise<{ readonly port: number; end(): Promise<unknown> }> {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: role });
  const port = await new Promise<number>((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject); });
  return { port, end: () => worker.terminate() };
}

function listen(onSocket: (socket: Socket) => void): void {
  const server = createServer({ noDelay: true }, onSocket);
  server.listen(0, '127.0.0.1', () => parentPort?.postMessage((server.address() as AddressInfo).port));
}

/** Answers a small request with five bytes, and one for `/big` with 64 MiB, with as little work as can be. */
function serve(): void {
  const chunk = Buffer.alloc(256 * 1024);
  listen((socket) => {
    let rest = '';
    socket.on('error', () => socket.destroy());
    socket.on('data', (data) => {
      rest += data.toString('latin1');
      const parts = rest.split('\r\n\r\n');
      rest = parts.pop() ?? '';
      for (const part of parts) {
        if (!part.startsWith('GET /big')) { socket.write(ANSWER); continue; }
        let left = BIG_BYTES;
        const more = (): void => {
          while (left > 0) { left -= chunk.length; if (!socket.write(chunk)) { socket.once('drain', more); return; } }
        };
        more();
      }
    });
  });
}

/** What `ssh -L` is: a port of this computer whose connections come out at the host. */
async function tunnel({ target, key, fingerprint, to }: Extract<Role, { role: 'tunnel' }>): Promise<void> {
  const host = hostOf(person(), target, key);
  await host.connect(withKeys(fingerprint));
  const link = new SshHostLink({ host, agentCommand: () => Promise.reject(new Error('no agent here')), log: () => undefined });
  listen((socket) => {
    socket.on('error', () => socket.destroy());
    link.forward('127.0.0.1', to).then((far) => {
      // As one socket piped into another; stream.pipeline would make an error with its stack for each connection.
      socket.on('close', () => far.destroy());
      far.on('close', () => socket.destroy());
      socket.pipe(far).pipe(socket);
    }, () => socket.destroy());
  });
}

if (!isMainThread) {
  const given = workerData as Role;
  if (given.role === 'server') serve();
  else await tunnel(given);
}
