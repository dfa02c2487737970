import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { quickServer, quickServerFiles } from './quick-server.ts';

/** VS Code's channel of extensions, in the form in which its minifier leaves it. */
const SERVER = `Error.stackTraceLimit=100;let Ei=(r,t)=>r,ef=(r,t)=>({...r,for:t});
export class Channel{constructor(t){this.service=t}async call(t,e,n){let o=t.remoteAuthority;switch(e){case"uninstall":return this.service.uninstall();case"getInstalled":return(await this.service.getInstalled(n[0],Ei(n[1],o),n[2],n[3])).map(s=>ef(s,o));case"other":return 1}}}`;

type Channel = { call(context: { readonly remoteAuthority: string }, command: string, given: readonly unknown[]): Promise<unknown> };

let folder: string;
let Quick: new (service: unknown) => Channel;
let limit: number;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vessel-quick-'));
  await writeFile(join(folder, 'server.mjs'), quickServer(SERVER) ?? '');
  const before = Error.stackTraceLimit;
  ({ Channel: Quick } = await import(/* @vite-ignore */ pathToFileURL(join(folder, 'server.mjs')).href) as { Channel: typeof Quick });
  limit = Error.stackTraceLimit;
  Error.stackTraceLimit = before;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function service(): { readonly asked: unknown[][]; readonly listeners: (() => void)[]; fail: boolean; getInstalled(...given: unknown[]): Promise<unknown>; onDidInstallExtensions(listener: () => void): void; onDidUninstallExtension(listener: () => void): void } {
  const asked: unknown[][] = [];
  const listeners: (() => void)[] = [];
  return {
    asked, listeners, fail: false,
    async getInstalled(...given) {
      const id = asked.push(given);
      await new Promise((resolve) => { setTimeout(resolve, 20); });
      if (this.fail) throw new Error('cannot be listed');
      return [{ id }];
    },
    onDidInstallExtensions: (listener) => { listeners.push(listener); },
    onDidUninstallExtension: (listener) => { listeners.push(listener); },
  };
}
const one = { remoteAuthority: 'one' };

it('gives those who ask at the same time the same list, whichever version they name', async () => {
  const extensions = service();
  const channel = new Quick(extensions);
  const lists = await Promise.all([channel.call(one, 'getInstalled', [null, null, undefined, 'en']), channel.call(one, 'getInstalled', [null, null, { version: '1' }, 'en'])]);
  expect(lists).toEqual([[{ id: 1, for: 'one' }], [{ id: 1, for: 'one' }]]);
  expect(await channel.call(one, 'getInstalled', [null, null, undefined, 'en'])).toEqual([{ id: 2, for: 'one' }]);
  expect(limit).toBe(10);
});

it('tells apart who asks, what for, and what was before a change', async () => {
  const extensions = service();
  const channel = new Quick(extensions);
  const first = channel.call(one, 'getInstalled', [null, null, undefined, 'en']);
  const others = [channel.call({ remoteAuthority: 'two' }, 'getInstalled', [null, null, undefined, 'en']), channel.call(one, 'getInstalled', [1, null, undefined, 'en'])];
  for (const changed of extensions.listeners) changed();
  expect(await Promise.all([first, ...others, channel.call(one, 'getInstalled', [null, null, undefined, 'en'])]))
    .toEqual([[{ id: 1, for: 'one' }], [{ id: 2, for: 'two' }], [{ id: 3, for: 'one' }], [{ id: 4, for: 'one' }]]);
});

it('passes a failure on to all who wait, and asks again after it', async () => {
  const extensions = service();
  const channel = new Quick(extensions);
  extensions.fail = true;
  const both = await Promise.allSettled([channel.call(one, 'getInstalled', []), channel.call(one, 'getInstalled', [])]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  extensions.fail = false;
  expect(await channel.call(one, 'getInstalled', [])).toEqual([{ id: 2, for: 'one' }]);
});

it('leaves a server of another form as it is', async () => {
  expect(quickServer('case"getInstalled":return this.x(n);')).toBeNull();
  expect(await quickServerFiles(folder, 'product.json', '/ide')).toEqual([]);
  await mkdir(join(folder, 'vs/out'), { recursive: true });
  await writeFile(join(folder, 'vs/out/server-main.js'), SERVER);
  expect((await quickServerFiles(folder, 'vs/product.json', '/ide')).map(({ path }) => path)).toEqual(['/ide/vs/out/server-main.js']);
});
