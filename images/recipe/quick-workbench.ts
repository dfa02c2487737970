import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exists } from './layer.ts';
import { changeInputs, changeMinified, NAME, type Change } from './minified.ts';

/** What decides the changed workbench, besides the workbench itself: part of the image's key. */
export const quickWorkbenchInputs = (): unknown => changeInputs(CHANGES);

const WORKBENCH = 'out/vs/code/browser/workbench/workbench.js';

/**
 * The cache of a folder's configuration lies in the guest, where the folder itself lies: asking for it is a way more, not less. It is empty in each new
 * environment, and was read, compared and written again for each of a dozen registrations of an extension's settings.
 */
const CONFIGURATION: readonly Change[] = [
  {
    place: new RegExp(String.raw`(reparse\(\)\{let (${NAME})=this\.folderConfiguration\.reparse\(\{[^{}]*\}\);return )this\.updateCache\(\),\2\}`),
    instead: '$1$2}',
  },
  {
    place: new RegExp(String.raw`read\((${NAME})\)\{return this\.getCachedConfiguration\(\1\)\.read\(\)\}write\((${NAME}),(${NAME})\)\{return this\.getCachedConfiguration\(\2\)\.save\(\3\)\}remove\((${NAME})\)\{return this\.getCachedConfiguration\(\4\)\.remove\(\)\}`),
    instead: 'async read(){return""}async write(){}async remove(){}',
  },
];

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

const CHANGES = [CONFIGURATION, MISSING_LISTS, LISTS];

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
