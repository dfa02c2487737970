import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VesselError } from '#shared/errors.ts';
import type { Route } from '../../ports/gateway.ts';
import { dial, enterHost, send, startTestGateway, startTestGuest, upgrade, type TestGateway, type TestGuest } from './test-gateway.ts';

const AWAY: Route = { kind: 'unreachable', name: 'Shop', hostName: 'Build <box>', waits: true };
let door: TestGateway;
let guest: TestGuest;
let cookie = '';
let host = '';

beforeEach(async () => {
  guest = await startTestGuest();
  door = await startTestGateway();
  host = `shop.localhost:${door.gateway.port}`;
  cookie = await enterHost(door.gateway.urlFor({ projectId: 'shop', frame: false }).url);
});
afterEach(async () => { await door.close(); await guest.close(); });
const ask = (headers: Readonly<Record<string, string>> = {}): ReturnType<typeof send> => send(door.gateway.port, host, '/file', { headers: { cookie, ...headers } });

describe('an environment whose host is away', () => {
  it('is shown as reconnecting, and asked for again by the page itself', async () => {
    door.routes.set('shop', AWAY);
    const page = await ask({ accept: 'text/html' });
    expect(page).toMatchObject({ status: 503, body: expect.stringContaining('Reconnecting to Build &#60;box&#62;') as string });
    expect(page.body).toContain('http-equiv="refresh"');
  });

  it('keeps requests and connections waiting for a while, and answers them when it is back', async () => {
    door.routes.set('shop', AWAY);
    const file = ask();
    const socket = upgrade(door.gateway.port, host, '/socket', { cookie, origin: `http://${host}` });
    await delay(60);
    expect(guest.seen).toEqual([]);
    door.routes.set('shop', guest.route());
    expect((await file).body).toBe('guest /file');
    expect((await socket).status).toBe(101);
  });

  it('that waits for a person says so at once', async () => {
    door.routes.set('shop', { ...AWAY, waits: false });
    const began = performance.now();
    expect((await ask({ accept: 'text/html' })).body).toContain('cannot be reached');
    expect(JSON.parse((await ask()).body)).toMatchObject({ error: { code: 'HOST_UNREACHABLE' } });
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  it('asks again what the broken line cut off before the guest could answer, but nothing that may have had an effect', async () => {
    let breaks = 0;
    const broken = guest.route({ dial: () => {
      breaks += 1;
      if (breaks === 1) { door.routes.set('shop', AWAY); setTimeout(() => door.routes.set('shop', guest.route({ dial: () => dial(guest.port) })), 50); }
      return Promise.reject(new VesselError('SSH_CONNECTION_LOST'));
    } });
    door.routes.set('shop', broken);
    expect((await ask()).body).toBe('guest /file');
    door.routes.set('shop', guest.route({ token: 'another-token-another-token-another-token', dial: () => Promise.reject(new VesselError('SSH_CONNECTION_LOST')) }));
    const post = await send(door.gateway.port, host, '/file', { method: 'POST', headers: { cookie, origin: `http://${host}` }, body: 'x' });
    expect(JSON.parse(post.body)).toMatchObject({ error: { code: 'SSH_CONNECTION_LOST' } });
  });
});

describe('an environment that is being saved and ended', () => {
  it('is called stopping, to people and to programs', async () => {
    door.routes.set('shop', { kind: 'stopping', name: 'Shop' });
    expect((await ask({ accept: 'text/html' })).body).toContain('Shop is stopping');
    expect(JSON.parse((await ask()).body)).toMatchObject({ error: { code: 'ILLEGAL_TRANSITION', message: 'The environment is stopping' } });
  });
});
