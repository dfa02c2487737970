import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GUEST_USER, WORKSPACE_DIR } from './guest-layout.ts';
import { exists } from './layer.ts';
import { changeInputs, changeMinified, NAME, type Change } from './minified.ts';

/** What decides the changed workbench, besides the workbench itself: part of the image's key. */
export const quickWorkbenchInputs = (): unknown => changeInputs(CHANGES);

const WORKBENCH = 'out/vs/code/browser/workbench/workbench.js';

/**
 * The cache of a folder's settings lies in the guest, where the folder itself lies: asking for it is a way more, not less, and each of a dozen registrations of an
 * extension's settings read, compared and wrote it again. The settings themselves are read before anything is shown. The machine's settings alone keep the
 * question for their cache: until it is answered the workbench knows where they are, and reads them instead.
 */
const CONFIGURATION: readonly Change[] = [{
  place: new RegExp(String.raw`needsCaching\((${NAME})\)\{return!this\.donotCacheResourcesWithSchemes\.includes\(\1\.scheme\)\}(read\((${NAME})\)\{return this\.getCachedConfiguration\(\3\)\.read\(\)\})write\((${NAME}),(${NAME})\)\{return this\.getCachedConfiguration\(\4\)\.save\(\5\)\}remove\((${NAME})\)\{return this\.getCachedConfiguration\(\6\)\.remove\(\)\}`),
  instead: 'needsCaching(){return!1}$2async write(){}async remove(){}',
}];

/**
 * Lists of extensions for browsers only, which nobody has written: each of the lists below asked for three of them again. What this window writes it also
 * reads; a first list that another window writes is seen after a reload.
 */
const MISSING_LISTS: readonly Change[] = [{
  place: new RegExp(String.raw`async withWebExtensions\((${NAME}),(${NAME})\)\{return \1\?this\.getResourceAccessQueue\(\1\)\.queue\(async\(\)=>\{let (${NAME})=\[\];try\{let (${NAME})=await this\.fileService\.readFile\(\1\),(.{1,900}?)catch\((${NAME})\)\{\6\.fileOperationResult!==1&&this\.logService\.error\(\6\)\}`),
  instead: 'async withWebExtensions($1,$2){return $1?this.getResourceAccessQueue($1).queue(async()=>{let $3=[],vessel=this.vesselMissing??=new Set,key=$1.toString();if($2)vessel.delete(key);else if(vessel.has(key))return $3;try{let $4=await this.fileService.readFile($1),$5catch($6){$6.fileOperationResult!==1?this.logService.error($6):$2||vessel.add(key)}',
}];

/** The list of all extensions: asked for while it is on its way, it is shared; asked for later, the server says when it is still the same (SERVER_SHORTCUTS). */
const LISTS: readonly Change[] = [{
  place: new RegExp(String.raw`getInstalled\((${NAME})=null,(${NAME}),(${NAME})\)\{return Promise\.resolve\(this\.channel\.call\("getInstalled",\[\1,\2,\3,(${NAME})\]\)\)\.then\((${NAME})=>\5\.map\((${NAME})=>(${NAME})\(\6,null\)\)\)\}`),
  instead: 'async getInstalled($1=null,$2,$3){let lists=this.vesselLists??=new Map,key=JSON.stringify([$1,$2]),list=lists.get(key);'
    + 'if(!list?.asked){let before=list;lists.set(key,list={asked:!0});'
    + 'list.texts=this.channel.call("getInstalled",[$1,$2,$3,$4,before?.id??""]).then(got=>{list.asked=!1;if(got.length===1&&got[0].vesselSame)return list.id=before.id,before.texts;'
    + 'let last=got.at(-1)?.vesselList;if(last===void 0)lists.delete(key);else got.pop(),list.id=last;return got.map(entry=>JSON.stringify(entry))},error=>{lists.delete(key);throw error})}'
    + 'return(await list.texts).map(text=>$7(JSON.parse(text),null))}',
}];

/**
 * A message from the server comes as bytes. Read as a blob, each of some hundred in the first seconds goes through the browser's own process twice, and the
 * next one waits for it.
 */
const BYTES: readonly Change[] = [
  { place: new RegExp(String.raw`(this\._socket=new WebSocket\(${NAME}\)),(this\.traceSocketEvent\("created")`), instead: '$1,this._socket.binaryType="arraybuffer",$2' },
  {
    place: new RegExp(String.raw`let (${NAME})=(${NAME})\.data;this\.traceSocketEvent\("browserWebSocketBlobReceived",\{type:\1\.type,size:\1\.size\}\),${NAME}\(\1\)\}`),
    instead: 'let $1=$2.data;this.traceSocketEvent("read",$1),this._onData.fire($1)}',
  },
];

/** The host for extensions of the browser's own starts with the first such extension: a frame, a worker and its half of the workbench, for nobody. */
const BROWSER_HOST: readonly Change[] = [{
  place: new RegExp(String.raw`case 2:\{let (${NAME})=${NAME}\?2:1;return (this\._instantiationService\.createInstance\(${NAME},${NAME},\1,this\._createLocalExtensionHostDataProvider)`),
  instead: 'case 2:{let $1=3;return $2',
}];

/** How long the window must have been quiet, and how long nothing was typed or clicked, before it looks at its extensions; and the longest wait. */
const CALM = { lookMs: 50, lateMs: 16, looks: 3, untouchedMs: 800, longestMs: 2_000 };
/** Waits, in the window, until its one thread has time to spare and nobody is at work: both are seconds of whoever opened it. */
const WHEN_CALM = '(()=>{let touched=-1/0,touch=()=>{touched=performance.now()},kinds=["keydown","pointerdown"];for(let kind of kinds)addEventListener(kind,touch,!0);'
  + 'return{end(){for(let kind of kinds)removeEventListener(kind,touch,!0)},async calm(){for(let began=performance.now(),quiet=0;;){let before=performance.now();'
  + `await new Promise(go=>{setTimeout(go,${CALM.lookMs})});let now=performance.now();quiet=now-before<${CALM.lookMs + CALM.lateMs}&&now-touched>${CALM.untouchedMs}?quiet+1:0;`
  + `if(quiet===${CALM.looks}||now-began>${CALM.longestMs})return}}}})()`;

/**
 * What the extensions contribute (languages, menus, settings) takes the window's thread half a second, and the first text that somebody types stood behind it. They are
 * looked at when the window is calm.
 */
const CONTRIBUTIONS: readonly Change[] = [
  { place: new RegExp(String.raw`async scanExtensions\(\)\{try\{(let ${NAME}=await this\.activeLanguagePackService)`), instead: `async scanExtensions(){let vesselWait=${WHEN_CALM};try{$1` },
  { place: new RegExp(String.raw`(await ${NAME}\.call\("scanExtensions",\[.{1,400}?\]\));return (${NAME}\.forEach\()`), instead: '$1;return await vesselWait.calm(),$2' },
  { place: new RegExp(String.raw`(catch\((${NAME})\)\{return this\.logService\.error\(\2\),\[\]\})\}(withChannel\(${NAME},${NAME}\)\{let ${NAME}=this\.remoteAgentService\.getConnection\(\);return ${NAME}\?${NAME}\.withChannel\()`), instead: '$1finally{vesselWait.end()}}$3' },
];

/** Where assistants, the synchronisation of settings and the advice on other editors' keys look: below the user's home, and in the workspace. */
const NOBODYS = [
  `^${GUEST_USER.home}/(\\.(claude|copilot|agents)(/|$)|\\.local/share/[^/]+/User/(sync|prompts|agent-plugins|workspaceStorage/vscode-chat-images|chatLanguageModels\\.json)(/|$))`,
  `^${WORKSPACE_DIR}/(\\.claude(/settings(\\.local)?\\.json)?$|\\.github/copilot(/settings(\\.local)?\\.json)?$|\\.vimrc$|\\.config/nvim/init\\.|eclipse/eclipse$|\\.local/share/JetBrains/Toolbox$)`,
].join('|');

/**
 * A third of what the workbench asks in its first seconds is for assistants that are switched off, for settings that are synchronised with nobody, and for whoever comes from another
 * editor. The first file that somebody opens stood in the same queue: these questions are asked once the window is calm.
 */
const LATER: readonly Change[] = [
  {
    place: new RegExp(String.raw`stat\((${NAME})\)\{return (this\.channel\.call\("stat",\[\1\]\))\}(?=realpath\()`),
    instead: `vesselLater(resource){if(new RegExp(${JSON.stringify(NOBODYS)}).test(resource.path))return this.vesselCalm??=(async()=>{let wait=${WHEN_CALM};try{await wait.calm()}finally{wait.end()}})()}`
      + 'stat($1){let later=this.vesselLater($1);return later?later.then(()=>$2):$2}',
  },
  { place: new RegExp(String.raw`(async readFile\((${NAME}),${NAME}\)\{)(let\{buffer:${NAME}\}=await this\.channel\.call\("readFile",)`), instead: '$1let later=this.vesselLater($2);if(later)await later;$3' },
  {
    place: new RegExp(String.raw`watch\((${NAME}),(${NAME})\)\{let (${NAME}=${NAME}\(\));return (this\.channel\.call\("watch",\[this\.sessionId,${NAME},\1,\2\]\)),(${NAME})\(\(\)=>(this\.channel\.call\("unwatch",)`),
    instead: 'watch($1,$2){let $3,later=this.vesselLater($1),ended=!1;return later?later.then(()=>{ended||$4}):$4,$5(()=>(ended=!0)&&$6',
  },
];

const CHANGES = [CONFIGURATION, MISSING_LISTS, LISTS, BYTES, BROWSER_HOST, CONTRIBUTIONS, LATER];

/**
 * VS Code's workbench, spared calls that it makes in vain in its first seconds. Each costs an emulated guest some milliseconds, and the first text that somebody
 * writes stands in the same queue. Null where the text has none of the places: another version then is as fast as it comes.
 */
export const quickWorkbench = (text: string): string | null => changeMinified(text, CHANGES);

/** The changed workbench and its path below the IDE's tree; null where there is nothing to change. */
export async function quickWorkbenchFile(ideTree: string, productPath: string): Promise<{ readonly path: string; readonly text: string } | null> {
  const path = join(dirname(productPath), WORKBENCH);
  if (!await exists(join(ideTree, path))) return null;
  const text = quickWorkbench(await readFile(join(ideTree, path), 'utf8'));
  return text === null ? null : { path, text };
}
