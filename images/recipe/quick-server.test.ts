import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { quickServer, quickServerFiles } from './quick-server.ts';

/** The places of VS Code's server that are changed, in the form in which its minifier leaves them, with a server around them. */
const SERVER = `import*as De from"node:fs";Error.stackTraceLimit=100;
let Ei=(r,t)=>r,ef=(r,t)=>({...r,for:t}),Fr=ef,S={revive:r=>r},L={fromString:r=>Buffer.from(r),wrap:r=>r};
let gc={Undefined:"u",String:"s",Array:"a",Object:"o"};let vu=(r,t)=>r.write("#"+t);
function Ng(r,t){if(typeof t>"u")r.write(gc.Undefined);else if(typeof t=="string")r.write(gc.String);else if(Array.isArray(t)){r.write(gc.Array),vu(r,t.length);for(let e of t)Ng(r,e)}else{let e=L.fromString(JSON.stringify(t));r.write(gc.Object),vu(r,e.byteLength),r.write(e)}}
export let write=t=>{let r=[];Ng({write:e=>r.push(String(e))},t);return r.join(" ")};
class Base{constructor(t){this.service=t}getUriTransformer(t){return t.remoteAuthority}}
export class Channel extends Base{async call(t,e,n){let o=this.getUriTransformer(t);switch(e){case"uninstall":return this.service.uninstall();case"getInstalled":return(await this.service.getInstalled(n[0],Ei(n[1],o),n[2],n[3])).map(s=>ef(s,o));case"other":return 1}}}
export class Scanner extends Base{async call(t,e,n){let o=this.getUriTransformer(t);switch(e){case"scanExtensions":{let i=n[0],s=n[1]?S.revive(o.transformIncoming(n[1])):void 0,a=n[2],l=n[3],c=n[4];return(await this.service.scanExtensions(i,s,a,l,c)).map(p=>Fr(p,o))}}throw new Error("Invalid call")}}
export let bo={};(n=>{async function r(o){let i;try{if(i=await De.promises.lstat(o),!i.isSymbolicLink())return{stat:i}}catch{}return{stat:await De.promises.stat(o),link:true}}n.stat=r})(bo);
class Plain{ended=!1;dispose(){this.ended=!0}async stop(){}}
export class Watcher extends Plain{_watchers=new Map;get watchers(){return this._watchers.values()}async stop(){await super.stop();for(let e of this.watchers)this.stopWatching(e)}stopWatching(e){this._watchers.delete(e.path),e.stopped=!0}}
export class Disk{toFilePath(e){return e}openFileForRead(e){return De.promises.open(e)}async readFile(e){let i=this.toFilePath(e),s=await this.openFileForRead(i);try{return await s.readFile("utf8")}finally{await s.close()}}}`;

type Service = { readonly asked: unknown[]; fail: boolean };
type Channel = { call(context: { readonly remoteAuthority: string }, command: string, given: readonly unknown[]): Promise<unknown> };
type Changed = {
  readonly Channel: new (service: unknown) => Channel;
  readonly Scanner: new (service: unknown) => Channel;
  readonly write: (value: unknown) => string;
  readonly bo: { readonly stat: (path: string) => Promise<{ readonly stat: { readonly size: number }; readonly link?: boolean }> };
  readonly Watcher: new () => { readonly ended: boolean; readonly _watchers: Map<string, { readonly path: string; stopped?: boolean }>; dispose(): void };
  readonly Disk: new () => { readFile(path: string): Promise<string> };
};

let folder: string;
let extensions: string;
let changed: Changed;
/** The same with all its waits. */
let patient: Changed;
let limit: number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vessel-quick-'));
  extensions = join(folder, 'extensions');
  await mkdir(join(folder, 'ide/vs/out'), { recursive: true });
  await mkdir(extensions);
  await writeFile(join(folder, 'ide/vs/out/server-main.js'), SERVER);
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  const files = await quickServerFiles(join(folder, 'ide'), 'vs/product.json', join(folder, 'guest'));
  await mkdir(join(folder, 'guest/vs/out'), { recursive: true });
  // Each test asks for lists of its own: all but the one about it do without the longer wait for a first list.
  for (const { path, text } of files) await writeFile(path, text.replace('const NEXT = [100,4,2000];', 'const NEXT = SOON;').replace('const LATER = [100,4,3000];', 'const LATER = SOON;'));
  await mkdir(join(folder, 'patient/out'), { recursive: true });
  for (const { path, text } of files) await writeFile(join(folder, 'patient/out', basename(path)), text);
  const before = Error.stackTraceLimit;
  process.argv.push('--extensions-dir', extensions);
  const load = async (path: string): Promise<Changed> => await import(/* @vite-ignore */ pathToFileURL(join(folder, path)).href) as Changed;
  changed = await load('guest/vs/out/server-main.js');
  patient = await load('patient/out/server-main.js');
  process.argv.splice(-2);
  limit = Error.stackTraceLimit;
  Error.stackTraceLimit = before;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function service(): Service & { getInstalled(...given: unknown[]): Promise<unknown>; scanExtensions(...given: unknown[]): Promise<unknown> } {
  const asked: unknown[] = [];
  async function list(this: Service, ...given: unknown[]): Promise<unknown> {
    const id = asked.push(given);
    await new Promise((resolve) => { setTimeout(resolve, 20); });
    if (this.fail) throw new Error('cannot be listed');
    return [{ id, name: 'é' }, { id: 'other' }];
  }
  return { asked, fail: false, getInstalled: list, scanExtensions: list };
}
const one = { remoteAuthority: 'one.localhost:80' };
const two = { remoteAuthority: 'two.localhost:80' };
const plain = [null, null, undefined, 'en'];
let nextLanguage = 0;
/** Lists are kept as long as the server lives: each test asks for its own. */
const installed = (): readonly unknown[] => [null, null, undefined, `language ${nextLanguage += 1}`];
const written = (id: unknown, authority: string): string => changed.write([{ id, name: 'é', for: authority }, { id: 'other', for: authority }]);

it('makes a list once, and writes for each who asks what VS Code would have written', async () => {
  const vscode = service();
  const channel = new changed.Channel(vscode);
  const given = installed();
  const [first, second] = await Promise.all([channel.call(one, 'getInstalled', given), channel.call(one, 'getInstalled', [null, null, { version: '1' }, given[3]])]);
  expect([changed.write(first), changed.write(second)]).toEqual([written(1, one.remoteAuthority), written(1, one.remoteAuthority)]);
  expect(changed.write(await channel.call(two, 'getInstalled', given))).toBe(written(1, two.remoteAuthority));
  expect(changed.write(await channel.call(one, 'getInstalled', given))).toBe(written(1, one.remoteAuthority));
  expect(vscode.asked).toEqual([given]);
  expect(limit).toBe(10);
});

it('names a list to whoever can keep it, and says of the same list only that it is', async () => {
  const channel = new changed.Channel(service());
  const given = installed();
  const ask = async (known?: string): Promise<string> => changed.write(await channel.call(one, 'getInstalled', [...given, known]));
  const first = await ask('');
  const name = /"vesselList":"([^"]+)"/.exec(first)?.[1] ?? '';
  expect(first.replace('#3', '#2')).toBe(`${written(1, one.remoteAuthority)} ${changed.write({ vesselList: name })}`);
  expect([await ask(name), await ask()]).toEqual([changed.write([{ vesselSame: true }]), written(1, one.remoteAuthority)]);
  expect(await ask('another')).toBe(first);
  await writeFile(join(extensions, 'extensions.json'), `[${' '.repeat(50 + nextLanguage)}]`);
  const second = await ask(name);
  expect(second).toContain(written(2, one.remoteAuthority).replace('#2', '#3'));
  expect(second).not.toContain(name);
});

it('lets other work go first while there is any, for a second at most', async () => {
  const channel = new changed.Channel(service());
  const given = installed();
  await channel.call(one, 'getInstalled', given);
  const began = performance.now();
  let busy = true;
  const spin = (): void => {
    const until = performance.now() + 20;
    while (performance.now() < until);
    busy = performance.now() - began < 400;
    if (busy) setImmediate(spin);
  };
  setImmediate(spin);
  await channel.call(one, 'getInstalled', given);
  expect(busy).toBe(false);
  expect(performance.now() - began).toBeLessThan(1_500);
});

it('answers a window with its first list of each kind only once there is more time to spare', async () => {
  const channel = new patient.Channel(service());
  const scanner = new patient.Scanner(service());
  const given = installed();
  const waited = async (answer: () => Promise<unknown>): Promise<number> => {
    const began = performance.now();
    await answer();
    return performance.now() - began;
  };
  const install = (): Promise<number> => waited(() => channel.call(one, 'getInstalled', given));
  const scan = (): Promise<number> => waited(() => scanner.call(one, 'scanExtensions', [given[3], undefined, [], undefined, undefined]));
  for (const list of [install, scan]) {
    const [first, again] = [await list(), await list()];
    expect([first > 390, again < first - 200]).toEqual([true, true]);
  }
});

it('scans once too, but not together with what is installed', async () => {
  const vscode = service();
  const given = ['en', undefined, [], undefined, undefined];
  const scanner = new changed.Scanner(vscode);
  expect(changed.write(await scanner.call(one, 'scanExtensions', given))).toBe(written(1, one.remoteAuthority));
  expect(changed.write(await scanner.call(two, 'scanExtensions', given))).toBe(written(1, two.remoteAuthority));
  expect(vscode.asked).toEqual([given]);
});

it.each([
  ['the list of extensions', () => writeFile(join(extensions, 'extensions.json'), `[${' '.repeat(nextLanguage)}]`)],
  ['what is to be removed', () => writeFile(join(extensions, '.obsolete'), `{${' '.repeat(nextLanguage)}}`)],
  ['the folder', () => mkdir(join(extensions, `publisher.name-${nextLanguage}`))],
])('makes the list anew after a change of %s', async (_what, change) => {
  const channel = new changed.Channel(service());
  const given = installed();
  await channel.call(one, 'getInstalled', given);
  await change();
  expect(changed.write(await channel.call(one, 'getInstalled', given))).toBe(written(2, one.remoteAuthority));
  expect(changed.write(await channel.call(one, 'getInstalled', given))).toBe(written(2, one.remoteAuthority));
});

it('answers as ever for another profile, another kind, or an address that JSON writes otherwise', async () => {
  const vscode = service();
  const channel = new changed.Channel(vscode);
  const profile = [null, { path: '/profiles/1/extensions.json' }, undefined, 'en'];
  const odd = { remoteAuthority: 'a"b' };
  expect(await channel.call(one, 'getInstalled', profile)).toEqual([{ id: 1, name: 'é', for: one.remoteAuthority }, { id: 'other', for: one.remoteAuthority }]);
  expect(await channel.call(odd, 'getInstalled', plain)).toEqual([{ id: 2, name: 'é', for: 'a"b' }, { id: 'other', for: 'a"b' }]);
  const given = installed();
  await channel.call(one, 'getInstalled', given);
  expect(changed.write(await channel.call(one, 'getInstalled', [1, ...given.slice(1)]))).toBe(written(4, one.remoteAuthority));
});

it('passes a failure on to all who wait, and asks again after it', async () => {
  const vscode = service();
  const channel = new changed.Channel(vscode);
  const given = installed();
  vscode.fail = true;
  const both = await Promise.allSettled([channel.call(one, 'getInstalled', given), channel.call(one, 'getInstalled', given)]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  vscode.fail = false;
  expect(changed.write(await channel.call(one, 'getInstalled', given))).toBe(written(2, one.remoteAuthority));
});

it('finds files and links, and says of a missing file what VS Code understands', async () => {
  const [file, link, dangling] = ['file', 'link', 'dangling'].map((name) => join(folder, name)) as [string, string, string];
  await writeFile(file, 'text');
  await symlink(file, link);
  await symlink(join(folder, 'nowhere'), dangling);
  expect(await changed.bo.stat(file)).toEqual({ stat: expect.objectContaining({ size: 4 }) });
  expect(await changed.bo.stat(link)).toMatchObject({ stat: { size: 4 }, link: true });
  const missing = { code: 'ENOENT', errno: -2, syscall: 'stat', path: join(folder, 'none'), message: `ENOENT: no such file or directory, stat '${join(folder, 'none')}'` };
  await expect(changed.bo.stat(join(folder, 'none'))).rejects.toMatchObject(missing);
  await expect(changed.bo.stat(join(file, 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  const disk = new changed.Disk();
  expect(await disk.readFile(link)).toBe('text');
  await expect(disk.readFile(join(folder, 'none'))).rejects.toMatchObject(missing);
  await expect(disk.readFile(dangling)).rejects.toMatchObject({ code: 'ENOENT' });
});

it('leaves a server of another form as it is', async () => {
  expect(quickServer('case"getInstalled":return this.x(n);')).toBeNull();
  expect(await quickServerFiles(folder, 'product.json', '/ide')).toEqual([]);
  expect((await quickServerFiles(join(folder, 'ide'), 'vs/product.json', '/ide')).map(({ path }) => path)).toEqual(['/ide/vs/out/server-main.js', '/ide/vs/out/vessel-shortcuts.mjs']);
});

it('ends what a session watches with the session', () => {
  const watcher = new changed.Watcher();
  const watched = ['a', 'b'].map((path) => ({ path, stopped: false }));
  for (const one of watched) watcher._watchers.set(one.path, one);
  watcher.dispose();
  expect([watched.map(({ stopped }) => stopped), watcher._watchers.size, watcher.ended]).toEqual([[true, true], 0, true]);
});
