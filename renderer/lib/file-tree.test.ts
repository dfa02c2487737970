import { describe, expect, it } from 'vitest';
import type { ArchiveEntry } from '#shared/archive-contract.ts';
import { foldersOf, visibleRows } from './file-tree.ts';

const entry = (path: string, kind: ArchiveEntry['kind'] = 'file'): ArchiveEntry => ({ path, kind, size: 1, mode: 0, mtime: 0 });
const folders = { '': [entry('src', 'folder'), entry('README.md')], src: [entry('src/deep', 'folder'), entry('src/a.ts')] };
const draft = (path: string, change: 'changed' | 'removed' = 'changed') => ({ path, change, bytes: 1, updatedAt: 1, version: null });
const shown = (expanded: readonly string[], drafts: ReturnType<typeof draft>[] = []): readonly string[] =>
  visibleRows(folders, new Set(expanded), drafts).map(({ path, depth, change, loading }) => `${' '.repeat(depth)}${path}${change === null ? '' : ` ${change}`}${loading ? ' …' : ''}`);

describe('the visible lines of a tree', () => {
  it('show what is expanded only, and say what is still loading', () => {
    expect(shown([])).toEqual(['src', 'README.md']);
    expect(shown(['src'])).toEqual(['src', ' src/deep', ' src/a.ts', 'README.md']);
    expect(shown(['src', 'src/deep'])).toContain(' src/deep …');
  });

  it('lay changes over the revision: new files, new folders, changed and removed ones', () => {
    expect(shown(['src'], [draft('src/a.ts'), draft('README.md', 'removed')])).toEqual(['src inside', ' src/deep', ' src/a.ts changed', 'README.md removed']);
    expect(shown(['docs', 'docs/new'], [draft('docs/new/x.md'), draft('top.md')])).toEqual(['docs inside', ' docs/new inside', '  docs/new/x.md added', 'src', 'README.md', 'top.md added']);
  });
});

it('names every folder that a path lies in', () => { expect(foldersOf('a/b/c.ts')).toEqual(['a', 'a/b']); });
