// The licenses of the packages inside a bundle: most of them ask that their text goes wherever their code goes.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** The file that lies beside each bundle and goes into every installer. */
export const NOTICES = 'THIRD-PARTY-NOTICES.txt';

const LICENSE_FILE = /^(licen[cs]e|copying|notice|third-?party-?notices)([.-].*)?$/i;
const RULE = '-'.repeat(80);

/** The folders of the packages that these source files belong to, each once. Paths may be relative to `base`; files outside of node_modules count for nothing. */
export function packageFolders(files, base) {
  const folders = new Set();
  for (const file of files) {
    const path = resolve(base, file.replace(/^\0+/, '').replace(/\?.*$/, ''));
    const at = path.lastIndexOf('/node_modules/');
    if (at < 0) continue;
    const [first, second] = path.slice(at + '/node_modules/'.length).split('/');
    folders.add(join(path.slice(0, at), 'node_modules', first.startsWith('@') ? join(first, second) : first));
  }
  return [...folders];
}

/** The text of the notices: name, version, license and the license's own words of each package, by name. Throws where a package names no license at all. */
export function noticesText(folders) {
  const packages = folders.map(read).sort((a, b) => a.title.localeCompare(b.title, 'en'));
  if (packages.length === 0) return 'This part of Vessel contains no package of others.\n';
  const unique = packages.filter(({ title }, at) => title !== packages[at - 1]?.title);
  const parts = unique.map(({ title, license, texts, from }) => [RULE, `${title} (${license})`, ...(from === null ? [] : [from]), RULE, '', ...texts, ''].join('\n'));
  return `This part of Vessel contains the following packages, each under its own license.\n\n${parts.join('\n')}`;
}

function read(folder) {
  const { name, version, license: named, licenses, author, repository } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const texts = readdirSync(folder).filter((file) => LICENSE_FILE.test(file)).sort().map((file) => readFileSync(join(folder, file), 'utf8').trim());
  const license = named ?? licenses?.map(({ type }) => type).join(' or ');
  if (license === undefined && texts.length === 0) throw new Error(`${name} ${version} is bundled and names no license`);
  const holder = typeof author === 'object' ? author.name : author;
  const address = typeof repository === 'object' ? repository.url : repository;
  const words = texts.length > 0 ? texts : [`The package carries no license file; its package.json names ${license}${holder === undefined ? '' : ` and ${holder} as its author`}.`];
  return { title: `${name} ${version}`, license: license ?? 'see below', texts: words, from: address === undefined ? null : address.replace(/^git\+/, '') };
}

/** A plugin for Vite that writes the notices of what it bundled, and of the packages `also` (folders), beside it. */
export function noticesPlugin(base, also = []) {
  let root = base; // assets are named from the root of their own build
  return {
    name: 'vessel-notices',
    apply: 'build',
    configResolved(config) { ({ root } = config); },
    generateBundle(_options, bundle) {
      const files = Object.values(bundle).flatMap((chunk) => chunk.type === 'chunk' ? Object.keys(chunk.modules) : (chunk.originalFileNames ?? []).map((name) => resolve(root, name)));
      const source = noticesText(packageFolders([...files, ...also.map((folder) => join(folder, 'package.json'))], base));
      this.emitFile({ type: 'asset', fileName: NOTICES, source });
    },
  };
}

/** The packages installed here that a linked source map names (maps of packages name their own sources too, which lie elsewhere), for whoever checks the notices against what is in the bundle. */
export function packagesOfSourceMap(map) {
  const { sources } = JSON.parse(readFileSync(map, 'utf8'));
  return packageFolders(sources, dirname(map)).filter((folder) => existsSync(join(folder, 'package.json'))).map((folder) => folder.slice(folder.lastIndexOf('/node_modules/') + '/node_modules/'.length));
}
