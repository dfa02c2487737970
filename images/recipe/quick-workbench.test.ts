import { expect, it } from 'vitest';
import { quickWorkbench } from './quick-workbench.ts';

/** The places of VS Code's workbench that are changed, in the form in which its minifier leaves them, with as much workbench around them as they need. */
const WORKBENCH = `var qs="en",n6=(s,o)=>({...s,revived:!0});
var cyi=class{constructor(e,t){this.folderConfiguration=e,this.updateCache=t}loadConfiguration(){return 1}reparse(){let e=this.folderConfiguration.reparse({scopes:this.scopes,skipRestricted:!0});return this.updateCache(),e}};
var ufo=class{needsCaching(o){return!0}read(o){return this.getCachedConfiguration(o).read()}write(o,e){return this.getCachedConfiguration(o).save(e)}remove(o){return this.getCachedConfiguration(o).remove()}getCachedConfiguration(){throw new Error("asked")}};
var TRt=class{constructor(e,t){this.fileService=e,this.logService=t}getResourceAccessQueue(){return{queue:o=>o()}}async withWebExtensions(e,t){return e?this.getResourceAccessQueue(e).queue(async()=>{let i=[];try{let n=await this.fileService.readFile(e),r=JSON.parse(n.value.toString());for(let a of r)i.push(a);try{i=i.slice()}catch(a){this.logService.error("x",a)}}catch(n){n.fileOperationResult!==1&&this.logService.error(n)}return t&&await this.storeWebExtensions(i=t(i),e),i}):[]}storeWebExtensions(i,e){return this.fileService.write(e,i)}};
var RGr=class{constructor(e){this.channel=e}getInstalled(e=null,t,i){return Promise.resolve(this.channel.call("getInstalled",[e,t,i,qs])).then(n=>n.map(r=>n6(r,null)))}};
`;
const OUTSIDE = 'export{cyi as Folder,ufo as Cache,TRt as Web,RGr as Management};';

type List = readonly Readonly<Record<string, unknown>>[];
type Workbench = {
  readonly Folder: new (configuration: unknown, updateCache: () => void) => { reparse(): unknown };
  readonly Cache: new () => { read(key: unknown): Promise<string>; write(key: unknown, text: string): Promise<void>; remove(key: unknown): Promise<void> };
  readonly Web: new (files: unknown, log: unknown) => { withWebExtensions(file: string, change?: (list: List) => List): Promise<List> };
  readonly Management: new (channel: { call(name: string, given: readonly unknown[]): Promise<List> }) => { getInstalled(type?: unknown, profile?: unknown, version?: unknown): Promise<List> };
};
const load = async (text: string): Promise<Workbench> => await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(text + OUTSIDE)}`) as Workbench;
const changed = await load(quickWorkbench(WORKBENCH) ?? '');

it('reads a folder\'s settings anew without writing them into the guest', async () => {
  let cached = 0;
  expect(new changed.Folder({ reparse: () => 'model' }, () => { cached += 1; }).reparse()).toBe('model');
  const cache = new changed.Cache();
  expect([await cache.read('folder'), await cache.write('folder', '{}'), await cache.remove('folder'), cached]).toEqual(['', undefined, undefined, 0]);
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

it('leaves what it does not know, or finds twice, as it is', () => {
  expect(quickWorkbench('var nothing=1;')).toBeNull();
  const half = quickWorkbench(WORKBENCH.replace('read(o){return this.getCachedConfiguration(o).read()}', 'read(o){return other(o)}'));
  expect(half).toContain('this.updateCache(),e}');
  expect(half).toContain('vesselLists');
  expect(quickWorkbench(WORKBENCH + WORKBENCH)).toBeNull();
});
