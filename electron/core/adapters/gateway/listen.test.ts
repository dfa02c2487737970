import { createServer, type Server } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listenOnLoopback, type Listening } from './listen.ts';

let home: string;
let open: Server[] = [];
beforeEach(async () => { home = await mkdtemp(join(tmpdir(), 'vessel-listen-')); });
afterEach(async () => {
  await closeAll();
  await rm(home, { recursive: true, force: true });
});

async function closeAll(): Promise<void> {
  await Promise.all(open.filter((server) => server.listening).map((server) => new Promise((resolve) => { server.close(resolve); })));
  open = [];
}
function start(wanted: number | null): Promise<Listening> {
  const servers = { v4: createServer(), v6: createServer() };
  open.push(servers.v4, servers.v6);
  return listenOnLoopback(servers, wanted, home);
}
const remembered = async (): Promise<unknown> => JSON.parse(await readFile(join(home, 'gateway.json'), 'utf8'));

describe('the port', () => {
  it.each([['asked for by number', true], ['any free one', false]])('is the same at the next start, also after one that was %s', async (_title, byNumber) => {
    const { port: free } = await start(0);
    await closeAll();
    const first = await start(byNumber ? free : 0);
    await closeAll();
    expect(await start(null)).toEqual({ port: first.port, movedFrom: null });
  });

  it('that another program has taken is named, and the new one is the remembered one from then on', async () => {
    const { port } = await start(0);
    await closeAll();
    const stranger = createSocketServer().listen(port, '127.0.0.1');
    await once(stranger, 'listening');
    const second = await start(null);
    expect(second.movedFrom).toBe(port);
    expect(await remembered()).toEqual({ port: second.port });
    stranger.close();
    await closeAll();
    expect(await start(null)).toEqual({ port: second.port, movedFrom: null });
  });

  it('that is free is none that the system gives to outgoing connections', async () => {
    expect((await start(0)).port).toBeLessThan(32_768);
  });

  it('asked for by number and taken is refused, and the remembered one stays', async () => {
    const { port } = await start(0);
    await closeAll();
    const stranger = createSocketServer().listen(0, '127.0.0.1');
    await once(stranger, 'listening');
    const address = stranger.address();
    await expect(start(typeof address === 'object' && address !== null ? address.port : 0)).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    expect(await remembered()).toEqual({ port });
    stranger.close();
  });
});
