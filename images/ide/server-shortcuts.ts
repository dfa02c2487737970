import { WHEN_CALM } from './when-calm.ts';

/** How long a look is, so many calm ones on end, and the longest wait. */
const SOON = [50, 1, 1_000];
/** Of a window's first list of what is there to run: text has no colours before it, but whoever opens a file wants the text. */
const NEXT = [100, 4, 2_000];
/** Of a window's first list of what is installed, which only the view of extensions shows. */
const LATER = [100, 4, 3_000];

/**
 * Program text, put beside VS Code's server and called from the places where `quickServer` changes it.
 *
 * - `kept` answers the two calls that list all extensions, 640 KB each and six times in a workbench's first seconds, from a list that is written out
 *   once. A template is frozen with the list made; a clone only puts its own address into it. The list holds until the folder of extensions changes
 *   (the folder itself, `extensions.json`, `.obsolete`), which is what VS Code's own cache of it goes by. A call for another
 *   profile, or with folders of its own, is answered as ever. The answer waits, for a second at most, until the server has time to spare: else the browser would take in megabytes of
 *   manifests before it shows the project's files. The first answers to an address wait for more time to spare: two seconds at most that of what is there to run, three that of what is installed.
 * - `lstat` and `there` say of a missing file that it is missing without two trips through the thread pool and an error for each: a workbench looks for a hundred that are not there.
 */
export const SERVER_SHORTCUTS = `import { randomUUID } from 'node:crypto';
import { lstatSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Stands for the address of whoever asks, in a list that is kept; no manifest names it. */
const ANYBODY = 'anybody.vessel.invalid';
const at = process.argv.indexOf('--extensions-dir');
const folder = at < 0 ? undefined : process.argv[at + 1];
const lists = new Map();
const SOON = ${JSON.stringify(SOON)};
const NEXT = ${JSON.stringify(NEXT)};
const LATER = ${JSON.stringify(LATER)};
${WHEN_CALM}
/** A list whose entries are JSON already; the server's serializer writes them as they are. */
export class Written {
  constructor(entries) { this.entries = entries; }
}

function fingerprint() {
  return ['', 'extensions.json', '.obsolete'].map((name) => {
    const found = statSync(join(folder, name), { throwIfNoEntry: false, bigint: true });
    return found === undefined ? '-' : [found.ino, found.mtimeNs, found.ctimeNs, found.size].join('.');
  }).join(' ');
}

const plain = (value) => value === null || value === undefined || typeof value === 'string' || typeof value === 'number' || (Array.isArray(value) && value.length === 0);

/**
 * make(asker) lists for whoever asks; what it gives is kept for all of them. Whoever tells the name of the list they have, or '' for none, is told the name of
 * theirs behind it, and of the same list only that it is the same.
 */
export async function kept(call, given, asker, make, known) {
  const authority = asker?.remoteAuthority;
  if (folder === undefined || typeof authority !== 'string' || JSON.stringify(authority) !== '"' + authority + '"' || !given.every(plain)) return make(asker);
  const key = JSON.stringify([call, ...given]);
  const now = fingerprint();
  let list = lists.get(key);
  if (list?.fingerprint !== now) {
    list = { fingerprint: now, texts: make({ ...asker, remoteAuthority: ANYBODY }).then((entries) => entries.map((entry) => JSON.stringify(entry))), authority: undefined, written: undefined, name: undefined };
    lists.set(key, list);
    const made = list;
    made.texts.catch(() => { if (lists.get(key) === made) lists.delete(key); });
  }
  const texts = await list.texts;
  const patience = list.authority === authority ? SOON : call === 'getInstalled' ? LATER : NEXT;
  await new Promise((go) => whenCalm(...patience, go));
  if (list.authority !== authority) {
    list.written = new Written(texts.map((text) => Buffer.from(text.replaceAll(ANYBODY, authority))));
    list.authority = authority;
    list.name = randomUUID();
  }
  if (typeof known !== 'string') return list.written;
  if (known === list.name) return [{ vesselSame: true }];
  return new Written([...list.written.entries, Buffer.from(JSON.stringify({ vesselList: list.name }))]);
}

const missing = (path) => Object.assign(new Error("ENOENT: no such file or directory, stat '" + path + "'"), { errno: -2, code: 'ENOENT', syscall: 'stat', path });

/** What lies at the path, a link itself and not what it leads to. Throws ENOENT. */
export function lstat(path) {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw missing(path);
  return found;
}

/** Throws ENOENT when nothing lies at the path. */
export function there(path) {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) throw missing(path);
}
`;
