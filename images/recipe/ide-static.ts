import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exists } from './layer.ts';
import type { IdeAdapter, StaticPrefix } from '../ide/adapter.ts';

/** `manifest.json` of the folder of static files; the gateway reads it (format in docs/images.md). */
export type IdeStaticManifest = {
  readonly format: 1;
  readonly ide: string;
  readonly version: string;
  readonly commit: string | null;
  /** A URL path that starts with `urlPrefix` is the file `dir` + the rest. */
  readonly prefixes: readonly { readonly urlPrefix: string; readonly dir: string }[];
  /** VS Code's own way to files of the installation: `<urlPath>?path=<absolute guest path>`; below `guestRoot` it is the file `dir` + the rest. */
  readonly remoteResource: { readonly urlPath: string; readonly guestRoot: string; readonly dir: string } | null;
  /** Paths below this folder that browsers ask for and no file answers: 404 without asking the guest. */
  readonly absent: readonly string[];
  /** By path below this folder. What is not listed comes from the guest. */
  readonly files: Readonly<Record<string, { readonly sha256: string; readonly bytes: number }>>;
};

export type IdeStaticInput = {
  readonly ide: IdeAdapter; readonly ideTree: string; readonly guestRoot: string; readonly commit: string | null; readonly output: string;
  /** A file that the guest has in another form than the tree, by its path below the tree. */
  readonly changed: { readonly path: string; readonly text: string } | null;
};

/** Copies what browsers read out of the IDE's tree into `output`, one folder for each prefix, and writes the manifest. */
export async function writeIdeStatic(input: IdeStaticInput): Promise<IdeStaticManifest> {
  const prefixes = input.ide.staticPrefixes(input.commit ?? '');
  const files: Record<string, { readonly sha256: string; readonly bytes: number }> = {};
  const folders: { readonly urlPrefix: string; readonly dir: string }[] = [];
  for (const [index, prefix] of prefixes.entries()) {
    const folder = `${index}`;
    folders.push({ urlPrefix: prefix.urlPrefix, dir: `${folder}/` });
    for (const path of await listStatic(join(input.ideTree, prefix.dir), prefix)) {
      const from = join(prefix.dir, path);
      const to = join(input.output, folder, path);
      const content = from === input.changed?.path ? Buffer.from(input.changed.text) : await readFile(join(input.ideTree, from));
      await mkdir(dirname(to), { recursive: true });
      await writeFile(to, content);
      files[`${folder}/${path}`] = { sha256: createHash('sha256').update(content).digest('hex'), bytes: content.length };
    }
  }
  const first = prefixes[0];
  const remote = input.ide.remoteResourcePath(input.commit ?? '');
  const manifest: IdeStaticManifest = {
    format: 1, ide: input.ide.name, version: input.ide.version, commit: input.commit, prefixes: folders,
    remoteResource: remote === null || first === undefined ? null : { urlPath: remote, guestRoot: `${input.guestRoot}/${first.dir}/`, dir: '0/' },
    absent: input.ide.staticAbsent.map((path) => `0/${path}`), files,
  };
  await mkdir(input.output, { recursive: true });
  await writeFile(join(input.output, 'manifest.json'), JSON.stringify(manifest));
  return manifest;
}

/** Types that browsers ask for; programs, native modules and sources of servers stay out. */
const WEB_FILE = /\.(js|mjs|cjs|css|html|json|svg|png|gif|jpg|ico|ttf|woff2?|wasm|mp3|webp|scm|tmLanguage|plist|md)$/i;

async function listStatic(root: string, prefix: StaticPrefix): Promise<readonly string[]> {
  const found: string[] = [];
  const walk = async (below: string): Promise<void> => {
    for (const entry of await readdir(join(root, below), { withFileTypes: true })) {
      const path = `${below}${entry.name}`;
      if (prefix.except.some((part) => `${path}/`.includes(part))) continue;
      if (entry.isDirectory()) await walk(`${path}/`);
      else if (entry.isFile() && WEB_FILE.test(path)) found.push(path);
    }
  };
  for (const include of prefix.include) {
    // A module may be missing from a version, or be bundled into its main file.
    if (!(await exists(join(root, include)))) continue;
    if (include.endsWith('/')) await walk(include);
    else found.push(include);
  }
  return found.toSorted();
}
