import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exists } from './layer.ts';
import type { SystemFile } from './system-files.ts';

/** Raise when a change below does: it goes into the image's key. */
export const QUICK_SERVER = 1;

const NAME = String.raw`[\w$]+`;
/** The answer to `extensions.getInstalled` in VS Code's server, as its minifier leaves it: arguments, how incoming and outgoing addresses are changed, the changer. */
const INSTALLED = new RegExp(String.raw`case"getInstalled":return\(await this\.service\.getInstalled\((${NAME})\[0\],(${NAME})\(\1\[1\],(${NAME})\),\1\[2\],\1\[3\]\)\)\.map\((${NAME})=>(${NAME})\(\4,\3\)\);`);
/** Hundred frames for each file that is not there: a workbench looks for sixty of them while it loads. */
const FRAMES = 'Error.stackTraceLimit=100;';
const FEWER_FRAMES = 'Error.stackTraceLimit=10;';

/**
 * VS Code's server, spared what it does in vain in a workbench's first seconds. Measured in emulation it is busy without a pause from
 * the first request until the first file shows, a third of that with three lists of all extensions, 640 KB each, that are asked for
 * within 0.3 s and are the same.
 *
 * - Who asks for the list while it is being made gets that one. It is forgotten as soon as it is there, or an extension comes or goes.
 * - Errors carry ten frames, not a hundred.
 *
 * Null where the text has neither: another version then is as fast as it comes.
 */
export function quickServer(text: string): string | null {
  const changed = text.replace(FRAMES, FEWER_FRAMES).replace(INSTALLED, (_all, given: string, incoming: string, changer: string, one: string, outgoing: string) =>
    `case"getInstalled":{let lists=this.vesselLists??=(()=>{let all=new Map,clear=()=>all.clear();this.service.onDidInstallExtensions(clear);this.service.onDidUninstallExtension(clear);return all})(),`
    // The third argument is the version that asks, which is the server's own.
    + `key=JSON.stringify([${given}[0],${given}[1],${given}[3],arguments[0]?.remoteAuthority]),list=lists.get(key);`
    + `if(list===void 0){list=(async()=>(await this.service.getInstalled(${given}[0],${incoming}(${given}[1],${changer}),${given}[2],${given}[3])).map(${one}=>${outgoing}(${one},${changer})))();`
    + `lists.set(key,list);let done=()=>{lists.get(key)===list&&lists.delete(key)};list.then(done,done)}return list}`);
  return changed === text ? null : changed;
}

/** The changed server as it is to lie in the guest below `guestRoot`; none where there is nothing to change. */
export async function quickServerFiles(ideTree: string, productPath: string, guestRoot: string): Promise<readonly SystemFile[]> {
  const path = join(dirname(productPath), 'out', 'server-main.js');
  if (!await exists(join(ideTree, path))) return [];
  const text = quickServer(await readFile(join(ideTree, path), 'utf8'));
  return text === null ? [] : [{ path: join(guestRoot, path), mode: 0o644, text }];
}
