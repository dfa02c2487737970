import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exists } from './layer.ts';
import type { SystemFile } from './system-files.ts';

/** Raise when other parts are left out: it goes into the image's key. */
export const LEAN_MANIFESTS = 1;
/** Debuggees that need a desktop or a VS Code of their own beside them, which a guest has not. */
const NEEDS_A_DESKTOP = /^(?:pwa-)?(?:chrome|msedge|editor-browser|extensionHost)$/;

type Debugger = { readonly type?: unknown; readonly configurationAttributes?: unknown; readonly configurationSnippets?: unknown };
type Manifest = { readonly contributes?: { readonly debuggers?: readonly Debugger[] } };

/**
 * Built-in extensions' manifests without the schemas of debug configurations that cannot be used here. A workbench asks its server
 * for all manifests up to ten times before the first file opens, and they were half of that megabyte; the debug types themselves stay.
 * Returns the changed files as they are to lie in the guest below `guestRoot`.
 */
export async function leanManifests(ideTree: string, productPath: string, guestRoot: string): Promise<readonly SystemFile[]> {
  const folder = join(dirname(productPath), 'extensions');
  const entries = await exists(join(ideTree, folder)) ? await readdir(join(ideTree, folder), { withFileTypes: true }) : [];
  const lean = await Promise.all(entries.filter((entry) => entry.isDirectory()).map(async (entry): Promise<readonly SystemFile[]> => {
    const path = join(folder, entry.name, 'package.json');
    if (!await exists(join(ideTree, path))) return [];
    const text = leanManifest(await readFile(join(ideTree, path), 'utf8'));
    return text === null ? [] : [{ path: join(guestRoot, path), mode: 0o644, text }];
  }));
  return lean.flat();
}

/** Null when there is nothing to leave out. Throws SyntaxError on what is no JSON. */
export function leanManifest(text: string): string | null {
  const manifest = JSON.parse(text) as Manifest;
  const debuggers = manifest.contributes?.debuggers ?? [];
  if (!debuggers.some(isSurplus)) return null;
  const kept = debuggers.map((entry) => {
    if (!isSurplus(entry)) return entry;
    const { configurationAttributes: _attributes, configurationSnippets: _snippets, ...rest } = entry;
    return rest;
  });
  return JSON.stringify({ ...manifest, contributes: { ...manifest.contributes, debuggers: kept } });
}

const isSurplus = ({ type, configurationAttributes, configurationSnippets }: Debugger): boolean =>
  typeof type === 'string' && NEEDS_A_DESKTOP.test(type) && (configurationAttributes !== undefined || configurationSnippets !== undefined);
