import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noticesText, packageFolders, packagesOfSourceMap } from './notices.mjs';

let base: string;
beforeAll(() => { base = mkdtempSync(join(tmpdir(), 'vessel-notices-')); });
afterAll(() => { rmSync(base, { recursive: true, force: true }); });

function makePackage(name: string, facts: Readonly<Record<string, unknown>>, files: Readonly<Record<string, string>> = {}): string {
  const folder = join(base, 'node_modules', name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version: '1.2.3', ...facts }));
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  return folder;
}

describe('third-party notices', () => {
  it('finds the package of each file once, scoped and nested ones too', () => {
    const found = packageFolders(['src/main.ts', 'node_modules/a/lib/x.js', 'node_modules/a/lib/y.js?raw', '\0node_modules/@s/b/z.js', 'node_modules/a/node_modules/c/index.js'], base);
    expect(found).toEqual(['a', '@s/b', 'a/node_modules/c'].map((name) => join(base, 'node_modules', name)));
  });

  it('gives name, version, license and the license’s own words, also where a package has only a name for it', () => {
    const text = noticesText([
      makePackage('worded', { license: 'MIT' }, { 'LICENSE.md': 'Permission is hereby granted', 'ThirdPartyNotices.txt': 'parts of others', 'license-checker.js': '' }),
      makePackage('named', { license: 'ISC', author: { name: 'A. Writer' }, repository: { url: 'git+https://example.com/named.git' } }),
      makePackage('old', { licenses: [{ type: 'MIT' }, { type: 'BSD' }] }),
    ]);
    expect(text.indexOf('named 1.2.3 (ISC)')).toBeLessThan(text.indexOf('worded 1.2.3 (MIT)'));
    expect(text).toContain('Permission is hereby granted');
    expect(text).toContain('parts of others');
    expect(text).toContain('https://example.com/named.git');
    expect(text).toContain('names ISC and A. Writer as its author');
    expect(text).toContain('old 1.2.3 (MIT or BSD)');
  });

  it('refuses a package that names no license', () => {
    expect(() => noticesText([makePackage('bare', {})])).toThrow('bare 1.2.3 is bundled and names no license');
  });

  it('reads the packages of a bundle from its source map', () => {
    makePackage('@s/b', { license: 'MIT' });
    makePackage('@s/b/node_modules/a', { license: 'MIT' });
    const map = join(base, 'out.mjs.map');
    writeFileSync(map, JSON.stringify({ sources: ['src/own.ts', 'node_modules/@s/b/z.js', 'node_modules/@s/b/node_modules/a/x.js', 'node_modules/elsewhere/x.ts'] }));
    expect(packagesOfSourceMap(map)).toEqual(['@s/b', 'a']);
  });
});
