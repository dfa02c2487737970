import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { enterHost, send, startTestGateway, startTestGuest, type Answer, type TestGateway, type TestGuest } from './test-gateway.ts';

const WORKBENCH = 'const lt=globalThis;(function(){let s=lt.document.getElementById("vscode-workbench-web-configuration")})();export{};';
const PAGE = '<html><head><meta id="vscode-workbench-web-configuration" data-settings="{}"><script type="module" src="stable-c/static/out/workbench.js"></script>';
const FORM = { url: '/?folder=/w', host: 'environment.vessel.invalid:80', html: PAGE, policy: "script-src 'self' 'nonce-recorded'; connect-src 'self'" };
let folders: string[];
let image: string;
let door: TestGateway;
let guest: TestGuest;

/** An image whose workbench is `text`. */
async function makeImage(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'vessel-image-'));
  folders.push(folder);
  await mkdir(join(folder, '0/out'), { recursive: true });
  await writeFile(join(folder, '0/out/workbench.js'), text);
  const files = { '0/out/workbench.js': { sha256: createHash('sha256').update(text).digest('hex'), bytes: text.length } };
  await writeFile(join(folder, 'manifest.json'), JSON.stringify({ format: 1, ide: 'code-server', version: '4.0.0', commit: 'c', prefixes: [{ urlPrefix: '/stable-c/static/', dir: '0/' }], files }));
  await writeFile(join(folder, 'workbench-page.json'), JSON.stringify({ format: 1, ...FORM }));
  return folder;
}
const rest = (id: string, ideStaticDir: string | null = image): void => { door.routes.set(id, { kind: 'not-running', name: id, ideStaticDir }); };
const open = (id: string, ideStaticDir: string | null = image): void => { door.routes.set(id, { kind: 'starting', operationId: null, ideStaticDir }); };
const hostOf = (id: string): string => `${id}.vessel.localhost:${door.gateway.port}`;

type Window = { readonly gate: string; readonly page: Answer; readonly ask: (path: string) => Promise<Answer>; readonly wait: () => Promise<Answer> };
/** What a browser does with the address: it enters, follows, and its page asks at the gate. */
async function load(id: string): Promise<Window> {
  const ahead = await door.gateway.aheadFor(id);
  if (ahead === null) throw new Error('there is no page');
  const cookie = await enterHost(ahead.url);
  const ask = (path: string): Promise<Answer> => send(door.gateway.port, hostOf(id), path, { headers: { cookie, accept: 'text/html' } });
  return { gate: ahead.gate, page: await ask(new URL(ahead.url).searchParams.get('to') ?? ''), ask, wait: () => ask(`/__vessel/gate/${ahead.gate}`) };
}
/** Whether an answer has come within a moment. */
const pending = async (answer: Promise<Answer>): Promise<boolean> => await Promise.race([answer.then(() => false), delay(40).then(() => true)]);

beforeEach(async () => {
  folders = [];
  image = await makeImage(WORKBENCH);
  guest = await startTestGuest();
  door = await startTestGateway();
});
afterEach(async () => {
  await door.close();
  await guest.close();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

describe('a workbench that is loaded before anybody opens its project', () => {
  it('has its page with a gate, and waits there until the project is opened', async () => {
    rest('two');
    const { page, gate, wait } = await load('two');
    expect(page.status).toBe(200);
    const source = /src="(http:\/\/ide\.vessel\.localhost:\d+)([^"]+\?gate)"/.exec(page.body);
    expect(page.body).toMatch(/^<html><head><script nonce="([\w-]{22})">globalThis\.vesselGate/);
    expect((await send(door.gateway.port, new URL(source?.[1] ?? '').host, source?.[2] ?? '')).body).toBe(WORKBENCH.replace('(function', 'await globalThis.vesselGate;(function'));
    const waiting = wait();
    expect(await pending(waiting)).toBe(true);
    open('two');
    expect(await pending(waiting)).toBe(true);
    expect(door.gateway.urlFor({ projectId: 'two', frame: true, gate }).opened).toBe(true);
    expect((await waiting).status).toBe(204);
    expect([guest.seen, door.activity]).toEqual([[], []]);
  });

  it('opens only in the window that opened the project, and once', async () => {
    rest('two');
    const [here, there] = [await load('two'), await load('two')];
    const [waitHere, waitThere] = [here.wait(), there.wait()];
    expect([await pending(waitHere), await pending(waitThere)]).toEqual([true, true]);
    open('two');
    expect(door.gateway.urlFor({ projectId: 'two', frame: true, gate: here.gate }).opened).toBe(true);
    expect((await waitHere).status).toBe(204);
    expect(await pending(waitThere)).toBe(true);
    expect(door.gateway.urlFor({ projectId: 'two', frame: true, gate: here.gate }).opened).toBe(false);
    expect(door.gateway.urlFor({ projectId: 'two', frame: true }).opened).toBe(false);
    expect(await pending(waitThere)).toBe(true);
  });

  it('is not used for another image than it came from, nor before it has come', async () => {
    rest('two');
    const early = await load('two');
    open('two');
    expect(door.gateway.urlFor({ projectId: 'two', frame: true, gate: early.gate }).opened).toBe(false);
    expect((await early.wait()).status).toBe(404);
    rest('two');
    const { gate, wait } = await load('two');
    const waiting = wait();
    expect(await pending(waiting)).toBe(true);
    open('two', await makeImage(`${WORKBENCH} `));
    expect(door.gateway.urlFor({ projectId: 'two', frame: true, gate }).opened).toBe(false);
    expect((await waiting).status).toBe(404);
  });

  it('is for its own project, and for a browser that has entered', async () => {
    rest('two');
    rest('one');
    const [one, two] = [await load('one'), await load('two')];
    expect((await two.ask(`/__vessel/gate/${one.gate}`)).status).toBe(404);
    expect((await two.ask(`/?folder=/w&vessel-ahead=${one.gate}`)).status).toBe(503);
    expect(door.gateway.urlFor({ projectId: 'two', frame: true, gate: one.gate }).opened).toBe(false);
    expect((await send(door.gateway.port, hostOf('two'), `/__vessel/gate/${two.gate}`)).status).toBe(401);
    expect((await send(door.gateway.port, hostOf('two'), `/?folder=/w&vessel-ahead=${two.gate}`, { headers: { accept: 'text/html' } })).status).toBe(401);
  });

  it('is none where the image is unknown, or its workbench has no place for a gate', async () => {
    rest('two', null);
    expect(await door.gateway.aheadFor('two')).toBeNull();
    rest('two', await makeImage('export{};'));
    expect(await door.gateway.aheadFor('two')).toBeNull();
    expect(await door.gateway.aheadFor('nobody')).toBeNull();
  });
});
