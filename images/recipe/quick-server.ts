import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SERVER_SHORTCUTS } from '../ide/server-shortcuts.ts';
import { exists } from './layer.ts';
import { changeInputs, changeMinified, NAME, type Change } from './minified.ts';
import type { SystemFile } from './system-files.ts';

/** What decides the changed server, besides the server itself: part of the image's key. */
export const quickServerInputs = (): unknown => [SERVER_SHORTCUTS, ...changeInputs(CHANGES)];

const MODULE = 'vessel-shortcuts.mjs';
const IMPORT = `import*as vessel from"./${MODULE}";`;

/** Hundred frames for each file that is not there: a workbench looks for sixty of them while it loads. */
const FRAMES: readonly Change[] = [{ place: /Error\.stackTraceLimit=100;/, instead: 'Error.stackTraceLimit=10;' }];

/** The answers to `getInstalled` and `scanExtensions`, and the serializer that must take what is written already. */
const LISTS: readonly Change[] = [
  {
    place: new RegExp(String.raw`case"getInstalled":return\(await this\.service\.getInstalled\((${NAME})\[0\],(${NAME})\(\1\[1\],(${NAME})\),\1\[2\],\1\[3\]\)\)\.map\((${NAME})=>(${NAME})\(\4,\3\)\);`),
    // The third argument is the version that asks, which is the server's own.
    instead: 'case"getInstalled":return vessel.kept("getInstalled",[$1[0],$1[1],$1[3]],arguments[0],async asker=>{let $3=this.getUriTransformer(asker);return(await this.service.getInstalled($1[0],$2($1[1],$3),$1[2],$1[3])).map($4=>$5($4,$3))},$1[4]);',
  },
  {
    place: new RegExp(String.raw`case"scanExtensions":\{let (${NAME})=(${NAME})\[0\],(.{1,400}?)return\(await this\.service\.scanExtensions\((.{1,60}?)\)\)\.map\((${NAME})=>(${NAME})\(\5,(${NAME})\)\)\}`),
    instead: 'case"scanExtensions":return vessel.kept("scanExtensions",[...$2],arguments[0],async asker=>{let $7=this.getUriTransformer(asker),$1=$2[0],$3return(await this.service.scanExtensions($4)).map($5=>$6($5,$7))});',
  },
  {
    place: new RegExp(String.raw`function ${NAME}\((${NAME}),(${NAME})\)\{(?=if\(typeof \2>"u"\)\1\.write\(${NAME}\.Undefined\);.{1,600}?Array\.isArray\(\2\)\)\{\1\.write\((${NAME}\.Array)\),(${NAME})\(\1,\2\.length\);.{1,200}?(${NAME})\.fromString\(JSON\.stringify\(\2\)\);\1\.write\((${NAME}\.Object)\))`),
    instead: '$&if($2 instanceof vessel.Written){$1.write($3);$4($1,$2.entries.length);for(let entry of $2.entries){let text=$5.wrap(entry);$1.write($6);$4($1,text.byteLength);$1.write(text)}return}',
  },
];

/** Where the server asks for a file's properties, and for its content. */
const MISSING: readonly Change[] = [
  { place: new RegExp(String.raw`(async function ${NAME}\((${NAME})\)\{let (${NAME});)try\{if\(\3=await ${NAME}\.promises\.lstat\(\2\),!\3\.isSymbolicLink\(\)\)return\{stat:\3\}\}catch\{\}`), instead: '$1if($3=vessel.lstat($2),!$3.isSymbolicLink())return{stat:$3};' },
  { place: new RegExp(String.raw`let (${NAME})=this\.toFilePath\((${NAME})\),(${NAME})=await this\.openFileForRead\(\1\);`), instead: 'let $1=this.toFilePath($2);vessel.there($1);let $3=await this.openFileForRead($1);' },
];

/**
 * A session's watcher of single folders has no end of its own: it went on after its window was closed, and each change was told to as many as there ever were. In a
 * template those of the rehearsals stood in the way of a clone's first seconds.
 */
const WATCHES: readonly Change[] = [
  { place: new RegExp(String.raw`async stop\(\)\{await super\.stop\(\);for\(let (${NAME}) of this\.watchers\)this\.stopWatching\(\1\)\}stopWatching\(`), instead: 'dispose(){for(let $1 of[...this.watchers])this.stopWatching($1);super.dispose()}$&' },
];

const CHANGES = [FRAMES, LISTS, MISSING, WATCHES];

/**
 * VS Code's server, spared what it does in vain in a workbench's first seconds. Measured in emulation it is busy without a pause from
 * the first request until the first file shows.
 *
 * - The list of all extensions, 640 KB, asked for six times, is made once (SERVER_SHORTCUTS).
 * - A file that is not there costs no trip through the thread pool; errors carry ten frames, not a hundred.
 * - What a session watches ends with it.
 *
 * Null where the text has none of the places: another version then is as fast as it comes.
 */
export function quickServer(text: string): string | null {
  const changed = changeMinified(text, CHANGES);
  return changed === null ? null : IMPORT + changed;
}

/** The changed server and its module, as they are to lie in the guest below `guestRoot`; none where there is nothing to change. */
export async function quickServerFiles(ideTree: string, productPath: string, guestRoot: string): Promise<readonly SystemFile[]> {
  const folder = join(dirname(productPath), 'out');
  const path = join(folder, 'server-main.js');
  if (!await exists(join(ideTree, path))) return [];
  const text = quickServer(await readFile(join(ideTree, path), 'utf8'));
  if (text === null) return [];
  return [{ path: join(guestRoot, path), mode: 0o644, text }, { path: join(guestRoot, folder, MODULE), mode: 0o644, text: SERVER_SHORTCUTS }];
}
