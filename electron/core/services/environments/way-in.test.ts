import { createServer, request, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { VesselError } from '#shared/errors.ts';
import type { HostLink } from '../../ports/host-link.ts';
import { WayIn } from './way-in.ts';

const servers: Server[] = [];
afterEach(() => { for (const server of servers.splice(0)) { server.closeAllConnections(); server.close(); } });

async function listen(server: Server): Promise<{ readonly host: string; readonly port: number }> {
  servers.push(server);
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

/** The agent of a guest: 401 for whoever has no token. */
const guest = (): Promise<{ readonly host: string; readonly port: number }> => listen(createServer((asked, response) => { response.writeHead(asked.headers.authorization === 'Bearer t' ? 200 : 401).end('guest'); }));

/** As Traefik answers: by the Host header, and 404 for a name that has no rule (yet). */
function traefik(rules: ReadonlyMap<string, { readonly host: string; readonly port: number }>): Promise<{ readonly host: string; readonly port: number }> {
  return listen(createServer((asked, response) => {
    const target = rules.get((asked.headers.host ?? '').split(':')[0] ?? '');
    if (target === undefined) { response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('404 page not found\n'); return; }
    asked.pipe(request({ ...target, method: asked.method, path: asked.url, headers: asked.headers }, (answer) => { response.writeHead(answer.statusCode ?? 502, answer.headers); answer.pipe(response); }));
  }));
}

const link = (dialed: number[]): HostLink => ({
  forward: (host: string, port: number) => new Promise<Duplex>((resolve, reject) => {
    dialed.push(port);
    const socket = connect({ host, port }, () => resolve(socket));
    socket.on('error', () => reject(new VesselError('GUEST_UNREACHABLE')));
  }),
} as Partial<HostLink> as HostLink);

describe('the way to an environment', () => {
  it('is straight until Traefik follows its rule, and then through Traefik', async () => {
    const agent = await guest();
    const rules = new Map<string, typeof agent>();
    const front = await traefik(rules);
    const dialed: number[] = [];
    const way = new WayIn({ link: link(dialed), guest: agent, front, log: () => undefined });
    const proved = way.prove('shop.localhost');
    (await way.dial()).destroy();
    expect([dialed.at(-1), way.throughFront]).toEqual([agent.port, false]);
    rules.set('shop.localhost', agent);
    await proved;
    (await way.dial()).destroy();
    expect([dialed.at(-1), way.throughFront]).toEqual([front.port, true]);
  });

  it('is straight again when Traefik has gone', async () => {
    const agent = await guest();
    const front = await traefik(new Map([['shop.localhost', agent]]));
    const dialed: number[] = [];
    const logged: string[] = [];
    const way = new WayIn({ link: link(dialed), guest: agent, front, log: (line) => logged.push(line) });
    await way.prove('shop.localhost');
    expect(logged).toEqual([]);
    const server = servers.at(-1);
    server?.closeAllConnections();
    await new Promise((resolve) => server?.close(resolve));
    (await way.dial()).destroy();
    expect([dialed.at(-1), way.throughFront]).toEqual([agent.port, false]);
    (await way.dial()).destroy();
    expect(logged).toEqual([expect.stringMatching(`Traefik at 127.0.0.1:${front.port} refuses, going straight to the guest: GUEST_UNREACHABLE`)]);
  });

  it('says why Traefik is left out when it never follows its rule', async () => {
    const agent = await guest();
    const front = await traefik(new Map());
    const logged: string[] = [];
    await new WayIn({ link: link([]), guest: agent, front, log: (line) => logged.push(line), giveUpMs: 1 }).prove('shop.localhost');
    expect(logged).toEqual([`Traefik at 127.0.0.1:${front.port} has no route to shop.localhost after 0.001 s (it answered HTTP/1.1 404 Not Found); going straight to the guest`]);
  });

  it('never shows the token to find out, and asks nobody where there is no Traefik', async () => {
    const agent = await guest();
    const seen: unknown[] = [];
    const front = await listen(createServer((asked, response) => { seen.push(asked.headers); response.writeHead(200).end(); }));
    const curious = new WayIn({ link: link([]), guest: agent, front, log: () => undefined });
    const asking = curious.prove('shop.localhost');
    await expect.poll(() => seen.length).toBeGreaterThan(0);
    curious.end();
    await asking;
    expect([seen[0], curious.throughFront]).toEqual([{ host: 'shop.localhost', connection: 'close' }, false]);
    const dialed: number[] = [];
    await new WayIn({ link: link(dialed), guest: agent, front: null, log: () => undefined }).prove('shop.localhost');
    expect(dialed).toEqual([]);
  });
});
