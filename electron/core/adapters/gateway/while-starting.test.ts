import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Route } from '../../ports/gateway.ts';
import { enterHost, send, startTestGateway, startTestGuest, upgrade, type TestGateway, type TestGuest } from './test-gateway.ts';

const IMAGE = '/no/such/image';
const PAGE = (host: string): string => `<meta id="vscode-workbench-web-configuration" data-settings="{&quot;remoteAuthority&quot;:&quot;${host}&quot;}">`;
const STARTING: Route = { kind: 'starting', operationId: null, ideStaticDir: IMAGE };
let door: TestGateway;
let guest: TestGuest;

beforeEach(async () => {
  guest = await startTestGuest();
  guest.handler = (request, response) => {
    if (request.url === '/?folder=/w') response.writeHead(200, { 'content-type': 'text/html', 'content-security-policy': `connect-src ws://${request.headers.host ?? ''}`, 'set-cookie': 'a=b' }).end(PAGE(request.headers.host ?? ''));
    else response.end(`guest ${request.url ?? ''}`);
  };
  door = await startTestGateway();
});
afterEach(async () => { await door.close(); await guest.close(); });

const hostOf = (id: string): string => `${id}.vessel.localhost:${door.gateway.port}`;
async function visit(id: string): Promise<(path: string, headers?: Readonly<Record<string, string>>) => ReturnType<typeof send>> {
  const cookie = await enterHost(door.gateway.urlFor({ projectId: id, frame: true }).url);
  return (path, headers = {}) => send(door.gateway.port, hostOf(id), path, { headers: { cookie, accept: 'text/html', ...headers } });
}

describe('an environment that starts', () => {
  it('has its workbench’s page from the last one of its image, under its own name', async () => {
    door.routes.set('one', guest.route({ ideStaticDir: IMAGE }));
    const first = await (await visit('one'))('/?folder=/w');
    door.routes.set('two', STARTING);
    const asked = guest.seen.length;
    const two = await visit('two');
    expect(await two('/')).toMatchObject({ status: 302, headers: { location: '/?folder=/w' } });
    const page = await two('/?folder=/w');
    expect(page.body).toBe(PAGE(hostOf('two')));
    expect(page.headers['content-security-policy']).toBe(String(first.headers['content-security-policy']).replaceAll(hostOf('one'), hostOf('two')));
    expect(page.headers['set-cookie']).toBeUndefined();
    expect(guest.seen.length).toBe(asked);
  });

  it('keeps what only its guest can answer waiting until it runs', async () => {
    door.routes.set('two', STARTING);
    const two = await visit('two');
    const answer = two('/file', { 'accept': '*/*' });
    const socket = enterHost(door.gateway.urlFor({ projectId: 'two', frame: true }).url).then((cookie) => upgrade(door.gateway.port, hostOf('two'), '/socket', { cookie, origin: `http://${hostOf('two')}` }));
    await delay(60);
    expect(guest.seen).toEqual([]);
    door.routes.set('two', guest.route({ ideStaticDir: IMAGE }));
    expect((await answer).body).toBe('guest /file');
    expect((await socket).status).toBe(101);
  });

  it('says that it failed when it did', async () => {
    door.routes.set('two', STARTING);
    const answer = (await visit('two'))('/', { 'sec-fetch-dest': 'iframe' });
    await delay(30);
    door.routes.set('two', { kind: 'not-running', name: 'Two' });
    expect(await answer).toMatchObject({ status: 503, body: expect.stringContaining('Two is not running') as string });
  });

  it('gives nothing to a browser that has not entered', async () => {
    door.routes.set('one', guest.route({ ideStaticDir: IMAGE }));
    await (await visit('one'))('/?folder=/w');
    door.routes.set('two', STARTING);
    expect((await send(door.gateway.port, hostOf('two'), '/?folder=/w', { headers: { accept: 'text/html' } })).status).toBe(401);
  });
});
