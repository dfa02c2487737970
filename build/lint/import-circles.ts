import { globSync, readFileSync } from 'node:fs';
import { join, posix, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import typescript from 'typescript';

/** A file and the files of the house that it imports, whether for values or only for types. Paths are relative to the root, with `/`. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>;

const FOLDERS = ['electron', 'renderer', 'host-scripts', 'images', 'build'];
const isSource = (path: string): boolean => /\.(?:ts|tsx|mjs)$/.test(path);

/** Reads the imports of every source file under `root`: static, dynamic, of types, re-exports. Packages and Node's modules are left out. */
export function readImportGraph(root: string): ImportGraph {
  const files = FOLDERS.flatMap((folder) => globSync(`${folder}/**/*`, { cwd: root, exclude: (name) => name === 'node_modules' })).map((path) => path.split(sep).join('/')).filter(isSource).sort();
  const known = new Set(files);
  return new Map(files.map((file) => {
    const targets = importsOf(readFileSync(join(root, file), 'utf8')).map((specifier) => targetOf(file, specifier));
    return [file, [...new Set(targets.filter((target) => target !== null && known.has(target)) as string[])]] as const;
  }));
}

/** The specifiers in a source text, in their order. */
export const importsOf = (source: string): readonly string[] => typescript.preProcessFile(source, true, true).importedFiles.map(({ fileName }) => fileName);

function targetOf(file: string, specifier: string): string | null {
  if (specifier.startsWith('#shared/')) return `electron/shared/${specifier.slice('#shared/'.length)}`;
  return specifier.startsWith('.') ? posix.join(posix.dirname(file), specifier) : null;
}

/**
 * One shortest circle through each group of files that import each other: `[a, b]` means that a imports b and b imports a. A file that
 * imports itself is a circle of one.
 */
export function importCircles(graph: ImportGraph): readonly (readonly string[])[] {
  const circles: (readonly string[])[] = [];
  const told = new Set<string>();
  for (const file of graph.keys()) {
    if (told.has(file)) continue;
    const circle = shortestCircle(graph, file);
    if (circle === null) continue;
    circles.push(circle);
    for (const member of circle) told.add(member);
  }
  return circles;
}

/** Breadth first from `start` back to itself; null when no way leads back. */
function shortestCircle(graph: ImportGraph, start: string): readonly string[] | null {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    for (const next of graph.get(file) ?? []) {
      if (next === start) return pathTo(file, cameFrom, start);
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, file);
      queue.push(next);
    }
  }
  return null;
}

function pathTo(end: string, cameFrom: ReadonlyMap<string, string>, start: string): readonly string[] {
  const path = [end];
  for (let file = end; file !== start; path.unshift(file)) file = cameFrom.get(file) ?? start;
  return path;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const circles = importCircles(readImportGraph(process.cwd()));
  for (const circle of circles) process.stdout.write(`Import circle: ${[...circle, circle[0]].join(' → ')}. Move what both need into a file of its own.\n`);
  process.exitCode = circles.length === 0 ? 0 : 1;
}
