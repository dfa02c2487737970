import { expect, it } from 'vitest';
import type { Manifest } from './manifest.ts';
import { rewriteWorkbenchPage } from './workbench-page.ts';

const manifest: Manifest = {
  format: 1, ide: 'code-server', version: '1', commit: 'abc', prefixes: [{ urlPrefix: '/stable-abc/static/', dir: '0/' }], remoteResource: null, absent: [],
  files: { '0/out/workbench.js': { sha256: 'a'.repeat(64), bytes: 1 }, '0/out/workbench.css': { sha256: 'b'.repeat(64), bytes: 1 } },
};
const shared = { manifest, id: '0123456789abcdef', origin: 'http://ide.vessel.localhost:8080' };
const PAGE = `<meta id="vscode-workbench-web-configuration" data-settings="{&quot;a&quot;:1,&quot;serviceWorker&quot;:{&quot;scope&quot;:&quot;./&quot;,&quot;path&quot;:&quot;./x.js&quot;},&quot;b&quot;:2}">
<link rel="stylesheet" href="stable-abc/static/out/workbench.css"><link rel="stylesheet" href="https://elsewhere.example/x.css">
<script type="module" src=""></script><script type="module" src="./stable-abc/static/out/workbench.js"></script><script type="module" src="stable-abc/static/out/unlisted.js"></script>`;
const POLICY = "default-src 'self'; script-src 'self' 'nonce-x'; style-src 'self'; connect-src 'self'; font-src 'self' blob:; ";

it('the big files of the workbench come from the shared origin, and only listed ones', () => {
  const changed = rewriteWorkbenchPage(PAGE, POLICY, shared);
  expect(changed?.html).toContain('<link crossorigin rel="stylesheet" href="http://ide.vessel.localhost:8080/0123456789abcdef/0/out/workbench.css">');
  expect(changed?.html).toContain('<script crossorigin type="module" src="http://ide.vessel.localhost:8080/0123456789abcdef/0/out/workbench.js?gate">');
  expect(changed?.html).toContain('src="stable-abc/static/out/unlisted.js"');
  expect(changed?.html).toContain('https://elsewhere.example/x.css');
  expect(changed?.policy).toBe("default-src 'self'; script-src 'self' 'nonce-x' http://ide.vessel.localhost:8080; style-src 'self' http://ide.vessel.localhost:8080; connect-src 'self'; font-src 'self' blob: http://ide.vessel.localhost:8080");
});

it('the page starts no service worker', () => {
  expect(rewriteWorkbenchPage(PAGE, POLICY, null)?.html).toContain('{&quot;a&quot;:1,&quot;b&quot;:2}');
});

it('without a shared origin the files and the policy stay as they are', () => {
  const changed = rewriteWorkbenchPage(PAGE, POLICY, null);
  expect(changed?.policy).toBe(POLICY);
  expect(changed?.html).toContain('src="./stable-abc/static/out/workbench.js"');
});

it('any other page of the guest is left alone', () => {
  expect(rewriteWorkbenchPage('<link rel="stylesheet" href="stable-abc/static/out/workbench.css">', POLICY, shared)).toBeNull();
});
