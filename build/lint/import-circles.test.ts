import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { importCircles, importsOf, readImportGraph, type ImportGraph } from './import-circles.ts';

const graph = (edges: Readonly<Record<string, readonly string[]>>): ImportGraph => new Map(Object.entries(edges));

describe('importCircles', () => {
  it.each<readonly [string, Readonly<Record<string, readonly string[]>>, readonly (readonly string[])[]]>([
    ['nothing in a tree', { a: ['b', 'c'], b: ['c'], c: [] }, []],
    ['a pair', { a: ['b'], b: ['a'] }, [['a', 'b']]],
    ['a file that imports itself', { a: ['a'] }, [['a']]],
    ['a long circle behind a way in', { main: ['a'], a: ['b'], b: ['c'], c: ['a'] }, [['a', 'b', 'c']]],
    ['the shortest of several', { a: ['b', 'd'], b: ['c'], c: ['a'], d: ['a'] }, [['a', 'd'], ['b', 'c', 'a']]],
    ['two circles apart', { a: ['b'], b: ['a'], c: ['d'], d: ['c'] }, [['a', 'b'], ['c', 'd']]],
  ])('finds %s', (_name, edges, circles) => {
    expect(importCircles(graph(edges))).toEqual(circles);
  });
});

describe('the import graph', () => {
  const root = mkdtempSync(join(tmpdir(), 'vessel-circles-'));
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('counts imports of values, of types, re-exports, dynamic imports and #shared', () => {
    expect(importsOf("import { a } from './a.ts';\nimport type { B } from './b.ts';\nexport * from './c.ts';\nconst d = await import('./d.ts');\ntype E = import('./e.ts').E;\nimport './f.ts';\n// import './not.ts';\n").toSorted())
      .toEqual(['./a.ts', './b.ts', './c.ts', './d.ts', './e.ts', './f.ts']);
  });

  it('finds a circle of types over folders', () => {
    const write = (path: string, text: string): void => { mkdirSync(dirname(join(root, path)), { recursive: true }); writeFileSync(join(root, path), text); };
    write('electron/shared/one.ts', "import type { Two } from '../core/two.ts';\nimport { z } from 'zod';\n");
    write('electron/core/two.ts', "export type { One as Two } from '#shared/one.ts';\n");
    write('renderer/three.tsx', "import { one } from '#shared/one.ts';\n");
    expect(importCircles(readImportGraph(root))).toEqual([['electron/core/two.ts', 'electron/shared/one.ts']]);
  });
});
