import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { quickWorkbench } from './quick-workbench.ts';

/** The places of VS Code's workbench that are changed, in the form in which its minifier leaves them, with as much workbench around them as they need. */
const WORKBENCH = `var qs="en",n6=(s,o)=>({...s,revived:!0});
var ufo=class{constructor(e){this.donotCacheResourcesWithSchemes=["file"],this.cached=e}needsCaching(o){return!this.donotCacheResourcesWithSchemes.includes(o.scheme)}read(o){return this.getCachedConfiguration(o).read()}write(o,e){return this.getCachedConfiguration(o).save(e)}remove(o){return this.getCachedConfiguration(o).remove()}getCachedConfiguration(){return this.cached}};
var TRt=class{constructor(e,t){this.fileService=e,this.logService=t}getResourceAccessQueue(){return{queue:o=>o()}}async withWebExtensions(e,t){return e?this.getResourceAccessQueue(e).queue(async()=>{let i=[];try{let n=await this.fileService.readFile(e),r=JSON.parse(n.value.toString());for(let a of r)i.push(a);try{i=i.slice()}catch(a){this.logService.error("x",a)}}catch(n){n.fileOperationResult!==1&&this.logService.error(n)}return t&&await this.storeWebExtensions(i=t(i),e),i}):[]}storeWebExtensions(i,e){return this.fileService.write(e,i)}};
var RGr=class{constructor(e){this.channel=e}getInstalled(e=null,t,i){return Promise.resolve(this.channel.call("getInstalled",[e,t,i,qs])).then(n=>n.map(r=>n6(r,null)))}};
var sfo=class{constructor(e,t){this._debugLabel=t,this._socket=new WebSocket(e),this.traceSocketEvent("created",{type:"BrowserWebSocket",url:e}),this._fileReader=new FileReader,this._queue=[];let i=u=>{this._fileReader.readAsArrayBuffer(u)};this._socketMessageListener=u=>{let p=u.data;this.traceSocketEvent("browserWebSocketBlobReceived",{type:p.type,size:p.size}),i(p)},this._socket.addEventListener("message",this._socketMessageListener)}};
var kRt=class{createExtensionHost(o,e,t){switch(e.kind){case 1:return null;case 2:{let i=t?2:1;return this._instantiationService.createInstance(UJe,e,i,this._createLocalExtensionHostDataProvider(o,e,t))}case 3:return"remote"}}};
var bgt=class{async scanExtensions(){try{let o=await this.activeLanguagePackService.getExtensionIdProvidingCurrentLocale();return await this.withChannel(async e=>{let t=this.userDataProfileService.currentProfile.isDefault?void 0:1,i=await e.call("scanExtensions",[qs,t,this.extensionManagementService.getInstalledWorkspaceExtensionLocations(),o]);return i.forEach(n=>{n.extensionLocation=P.revive(n.extensionLocation)}),i},[])}catch(o){return this.logService.error(o),[]}}withChannel(o,e){let t=this.remoteAgentService.getConnection();return t?t.withChannel(wjo,i=>o(i)):Promise.resolve(e)}};
var XSi=class{constructor(e){this.channel=e,this.sessionId="session"}stat(e){return this.channel.call("stat",[e])}realpath(e){return this.channel.call("realpath",[e])}async readFile(e,t){let{buffer:i}=await this.channel.call("readFile",[e,t]);return i}watch(e,t){let i=dt();return this.channel.call("watch",[this.sessionId,i,e,t]),Y(()=>this.channel.call("unwatch",[this.sessionId,i]))}};
`;
const OUTSIDE = 'var UJe="worker",wjo="scanner",dt=()=>"request",Y=s=>({dispose:s}),P={revive:s=>s};export{XSi as Files,sfo as Socket,kRt as Hosts,bgt as Scanner,ufo as Cache,TRt as Web,RGr as Management};';

type List = readonly Readonly<Record<string, unknown>>[];
type Resource = { readonly path: string };
type Files = { stat(resource: Resource): Promise<unknown>; readFile(resource: Resource, options: unknown): Promise<unknown>; watch(resource: Resource, options: unknown): { dispose(): void } };
type Workbench = {
  readonly Files: new (channel: { call(name: string, given: readonly unknown[]): Promise<unknown> }) => Files;
  readonly Socket: new (url: string, label: string) => object;
  readonly Hosts: new () => { createExtensionHost(locations: unknown, location: { readonly kind: number }, isFirst: boolean): unknown };
  readonly Scanner: new () => { scanExtensions(): Promise<List> };
  readonly Cache: new (cached: unknown) => { needsCaching(resource: unknown): boolean; read(key: unknown): Promise<string>; write(key: unknown, text: string): Promise<void>; remove(key: unknown): Promise<void> };
  readonly Web: new (files: unknown, log: unknown) => { withWebExtensions(file: string, change?: (list: List) => List): Promise<List> };
  readonly Management: new (channel: { call(name: string, given: readonly unknown[]): Promise<List> }) => { getInstalled(type?: unknown, profile?: unknown, version?: unknown): Promise<List> };
};
const load = async (text: string): Promise<Workbench> => await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(text + OUTSIDE)}`) as Workbench;
const changed = await load(quickWorkbench(WORKBENCH) ?? '');

it('reads a folder\'s settings where they are, and writes no copy of them', async () => {
  const asked: string[] = [];
  const cache = new changed.Cache({ read: async () => { asked.push('read'); return 'copy'; }, save: async () => { asked.push('save'); }, remove: async () => { asked.push('remove'); } });
  expect([cache.needsCaching({ scheme: 'vscode-remote' }), cache.needsCaching({ scheme: 'file' })]).toEqual([false, false]);
  await cache.write('user', '{}');
  await cache.remove('user');
  expect([await cache.read('user'), asked]).toEqual(['copy', ['read']]);
});

it('asks once for a list of extensions that nobody has written, until the workbench writes it', async () => {
  const files = new Map<string, List>();
  const asked: string[] = [];
  const errors: unknown[] = [];
  let refused = false;
  const web = new changed.Web({
    readFile: async (path: string) => {
      asked.push(path);
      const list = files.get(path);
      if (list === undefined) throw Object.assign(new Error('none'), { fileOperationResult: refused ? 6 : 1 });
      return { value: JSON.stringify(list) };
    },
    write: (path: string, list: List) => { files.set(path, list); },
  }, { error: (error: unknown) => errors.push(error) });
  expect([await web.withWebExtensions('a'), await web.withWebExtensions('a'), asked.length]).toEqual([[], [], 1]);
  expect(await web.withWebExtensions('a', () => [{ id: 'one' }])).toEqual([{ id: 'one' }]);
  expect([await web.withWebExtensions('a'), asked.length]).toEqual([[{ id: 'one' }], 3]);
  refused = true;
  expect([await web.withWebExtensions('b'), await web.withWebExtensions('b'), asked.length, errors.length]).toEqual([[], [], 5, 2]);
});

/** A server that knows the names of lists, or one that has never heard of them. */
function server({ names }: { readonly names: boolean }): { readonly given: unknown[]; list: List; fail: boolean; call(name: string, given: readonly unknown[]): Promise<List> } {
  return {
    given: [], list: [{ id: 'a', manifest: { name: 'A' } }], fail: false,
    async call(_name, given) {
      this.given.push(given[4]);
      await new Promise((resolve) => { setTimeout(resolve, 5); });
      if (this.fail) throw new Error('cannot be listed');
      if (!names) return this.list;
      const name = JSON.stringify(this.list);
      return given[4] === name ? [{ vesselSame: true }] : [...this.list, { vesselList: name }];
    },
  };
}
const A = [{ id: 'a', manifest: { name: 'A' }, revived: true }];

it('has the list of all extensions sent once, and gives each who asks one of their own', async () => {
  const channel = server({ names: true });
  const management = new changed.Management(channel);
  const [first, second] = await Promise.all([management.getInstalled(), management.getInstalled(null, undefined, { version: '1' })]);
  expect([first, second]).toEqual([A, A]);
  expect(first[0]?.['manifest']).not.toBe(second[0]?.['manifest']);
  expect(await management.getInstalled()).toEqual(A);
  expect(channel.given).toEqual(['', JSON.stringify(channel.list)]);
  const before = channel.given[1];
  channel.list = [{ id: 'b' }];
  expect(await management.getInstalled()).toEqual([{ id: 'b', revived: true }]);
  expect(await management.getInstalled()).toEqual([{ id: 'b', revived: true }]);
  expect(channel.given.slice(2)).toEqual([before, '[{"id":"b"}]']);
  expect(await management.getInstalled(1)).toEqual([{ id: 'b', revived: true }]);
  expect(channel.given.at(-1)).toBe('');
});

it('asks again after a failure, and each time where a server knows no names', async () => {
  const channel = server({ names: true });
  const management = new changed.Management(channel);
  channel.fail = true;
  const both = await Promise.allSettled([management.getInstalled(), management.getInstalled()]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  channel.fail = false;
  expect(await management.getInstalled()).toEqual(A);
  const old = server({ names: false });
  const other = new changed.Management(old);
  expect([await other.getInstalled(), await other.getInstalled(), old.given]).toEqual([A, A, ['', '']]);
  old.list = [];
  expect(await other.getInstalled()).toEqual([]);
});

it('reads what its server sends as bytes, in the order in which it comes', () => {
  const listeners: ((event: { readonly data: ArrayBuffer }) => void)[] = [];
  const sockets: { readonly url: string; binaryType?: string }[] = [];
  vi.stubGlobal('WebSocket', class { readonly url: string; constructor(url: string) { this.url = url; sockets.push(this); } addEventListener(_name: string, listener: (event: { readonly data: ArrayBuffer }) => void): void { listeners.push(listener); } });
  vi.stubGlobal('FileReader', class { readAsArrayBuffer(): void { throw new Error('read as a blob'); } });
  const seen: ArrayBuffer[] = [];
  class Traced extends changed.Socket {
    readonly _onData = { fire: (data: ArrayBuffer) => { seen.push(data); } };
    traceSocketEvent(): void { /* nobody listens */ }
  }
  new Traced('ws://demo', 'label');
  const sent = [new ArrayBuffer(1), new ArrayBuffer(2)];
  for (const data of sent) listeners[0]?.({ data });
  expect(sockets.map(({ url, binaryType }) => [url, binaryType])).toEqual([['ws://demo', 'arraybuffer']]);
  expect(seen).toEqual(sent);
});

it('starts no host for extensions of the browser\'s own before there is one, and leaves the other hosts alone', () => {
  const hosts = Object.assign(new changed.Hosts(), { _instantiationService: { createInstance: (...given: readonly unknown[]) => given }, _createLocalExtensionHostDataProvider: () => 'data' });
  const LAZY = 3;
  expect(hosts.createExtensionHost(1, { kind: 2 }, true)).toEqual(['worker', { kind: 2 }, LAZY, 'data']);
  expect(hosts.createExtensionHost(1, { kind: 2 }, false)).toEqual(['worker', { kind: 2 }, LAZY, 'data']);
  expect([hosts.createExtensionHost(1, { kind: 1 }, true), hosts.createExtensionHost(1, { kind: 3 }, true)]).toEqual([null, 'remote']);
});

const listeners = new Map<string, () => void>();
/** A window that is quiet but for what its listeners are told. */
function quietWindow(): void {
  beforeEach(() => {
    listeners.clear();
    vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
    vi.stubGlobal('addEventListener', (kind: string, listener: () => void) => listeners.set(kind, listener));
    vi.stubGlobal('removeEventListener', (kind: string) => listeners.delete(kind));
  });
  afterEach(() => { vi.useRealTimers(); vi.unstubAllGlobals(); });
}

describe('what extensions contribute', () => {
  quietWindow();

  const ERRORS: unknown[] = [];
  const scan = (call: () => Promise<List>): { done: boolean; readonly list: Promise<List> } => {
    const channel = { call };
    const scanner = Object.assign(new changed.Scanner(), {
      activeLanguagePackService: { getExtensionIdProvidingCurrentLocale: async () => await Promise.resolve(null) }, userDataProfileService: { currentProfile: { isDefault: true } },
      extensionManagementService: { getInstalledWorkspaceExtensionLocations: () => [] }, logService: { error: (error: unknown) => ERRORS.push(error) },
      remoteAgentService: { getConnection: () => ({ withChannel: async (_name: string, use: (channel: unknown) => Promise<List>) => await use(channel) }) },
    });
    const state = { done: false, list: scanner.scanExtensions() };
    void state.list.then(() => { state.done = true; });
    return state;
  };
  const LIST: List = [{ extensionLocation: 'a' }];

  it('is looked at once the window is quiet', async () => {
    const state = scan(async () => await Promise.resolve(LIST));
    await vi.advanceTimersByTimeAsync(149);
    expect(state.done).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect([state.done, await state.list, listeners.size]).toEqual([true, LIST, 0]);
  });

  it('waits while somebody types, and two seconds at most', async () => {
    const state = scan(async () => await Promise.resolve(LIST));
    await vi.advanceTimersByTimeAsync(60);
    listeners.get('keydown')?.();
    await vi.advanceTimersByTimeAsync(800);
    expect(state.done).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    expect(state.done).toBe(true);
    const typed = scan(async () => await Promise.resolve(LIST));
    for (let ms = 0; ms < 1_900; ms += 100) { listeners.get('pointerdown')?.(); await vi.advanceTimersByTimeAsync(100); }
    expect(typed.done).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    expect(typed.done).toBe(true);
  });

  it('leaves no listener behind when there is no list', async () => {
    const state = scan(async () => await Promise.reject(new Error('cannot be listed')));
    await vi.advanceTimersByTimeAsync(0);
    expect([await state.list, ERRORS.length, listeners.size]).toEqual([[], 1, 0]);
  });
});

describe('a question that nobody waits for', () => {
  quietWindow();
  const asked: string[] = [];
  beforeEach(() => { asked.length = 0; });
  const open = (): Files => new changed.Files({
    call: async (name, given) => {
      const { path } = given.find((one) => typeof one === 'object' && one !== null && 'path' in one) as Resource | undefined ?? { path: '' };
      asked.push(`${name} ${path}`);
      return await Promise.resolve({ buffer: path });
    },
  });
  const at = (path: string): Resource => ({ path });
  const NOBODYS = ['/home/vessel/.copilot/agents', '/home/vessel/.claude', '/home/vessel/.local/share/code-server/User/sync/-1/settings', '/home/workspace/.claude/settings.json', '/home/workspace/.vimrc'];
  const SOMEBODYS = ['/home/workspace', '/home/workspace/.claude/notes.md', '/home/workspace/.vimrc.bak', '/home/vessel/.local/share/code-server/User/settings.json', '/home/vessel/.local/share/code-server/User/synced'];

  it('is asked once the window is calm, and at once from then on; any other is asked as ever', async () => {
    const files = open();
    const answers = [...NOBODYS.map((path) => files.stat(at(path))), ...SOMEBODYS.map((path) => files.stat(at(path)))];
    const read = files.readFile(at('/home/workspace/.github/copilot/settings.json'), null);
    expect(asked).toEqual(SOMEBODYS.map((path) => `stat ${path}`));
    await vi.advanceTimersByTimeAsync(150);
    expect((await Promise.all(answers)).map((answer) => (answer as { readonly buffer: string }).buffer)).toEqual([...NOBODYS, ...SOMEBODYS]);
    expect([await read, listeners.size]).toEqual(['/home/workspace/.github/copilot/settings.json', 0]);
    await files.stat(at('/home/vessel/.claude'));
    expect(asked).toHaveLength(NOBODYS.length + SOMEBODYS.length + 2);
  });

  it('is not asked when it was taken back before', async () => {
    const files = open();
    files.watch(at('/home/vessel/.claude/agents'), {}).dispose();
    const kept = files.watch(at('/home/vessel/.claude/rules'), {});
    files.watch(at('/home/workspace'), {}).dispose();
    await vi.advanceTimersByTimeAsync(150);
    kept.dispose();
    expect(asked.filter((call) => call.startsWith('watch'))).toEqual(['watch /home/workspace', 'watch /home/vessel/.claude/rules']);
    expect(asked.filter((call) => call.startsWith('unwatch'))).toHaveLength(3);
  });
});

it('leaves what it does not know, or finds twice, as it is', () => {
  expect(quickWorkbench('var nothing=1;')).toBeNull();
  const half = quickWorkbench(WORKBENCH.replace('read(o){return this.getCachedConfiguration(o).read()}', 'read(o){return other(o)}'));
  expect(half).toContain('donotCacheResourcesWithSchemes.includes(');
  expect(half).toContain('vesselLists');
  expect(quickWorkbench(WORKBENCH + WORKBENCH)).toBeNull();
});
