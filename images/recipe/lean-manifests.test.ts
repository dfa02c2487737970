import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { leanManifest, leanManifests } from './lean-manifests.ts';

const node = { type: 'node', label: 'Node.js', configurationAttributes: { launch: { properties: { program: {} } } } };
const chrome = { type: 'pwa-chrome', label: 'Chrome', languages: ['html'], configurationAttributes: { launch: {} }, configurationSnippets: [{ body: {} }] };

it('leaves the schemas out of what needs a desktop, and nothing else', () => {
  const text = leanManifest(JSON.stringify({ name: 'js-debug', contributes: { commands: [1], debuggers: [node, chrome] } }));
  expect(JSON.parse(text ?? '')).toEqual({ name: 'js-debug', contributes: { commands: [1], debuggers: [node, { type: 'pwa-chrome', label: 'Chrome', languages: ['html'] }] } });
  expect(leanManifest(JSON.stringify({ name: 'x', contributes: { debuggers: [node] } }))).toBeNull();
  expect(leanManifest('{"name":"theme"}')).toBeNull();
});

it('finds them below the folder of the product description', async () => {
  const tree = await mkdtemp(join(tmpdir(), 'vessel-lean-'));
  try {
    for (const [name, debuggers] of [['one', [chrome]], ['two', [node]]] as const) {
      await mkdir(join(tree, 'vs/extensions', name), { recursive: true });
      await writeFile(join(tree, 'vs/extensions', name, 'package.json'), JSON.stringify({ contributes: { debuggers } }));
    }
    await mkdir(join(tree, 'vs/extensions/node_modules'));
    await writeFile(join(tree, 'vs/extensions/npm-shrinkwrap.json'), '{}');
    expect((await leanManifests(tree, 'vs/product.json', '/ide')).map(({ path }) => path)).toEqual(['/ide/vs/extensions/one/package.json']);
    expect(await leanManifests(tree, 'product.json', '/ide')).toEqual([]);
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
});
