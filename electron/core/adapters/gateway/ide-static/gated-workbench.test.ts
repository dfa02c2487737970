import { expect, it } from 'vitest';
import { gateWorkbench, withGate } from './gated-workbench.ts';

const BEGINS = '(function(){let s=lt.document.getElementById("vscode-workbench-web-configuration"),o=s?s.getAttribute("data-settings"):void 0;';
const joined = (text: string): string | null => {
  const parts = gateWorkbench(Buffer.from(text));
  return parts === null ? null : Buffer.concat([parts.before, parts.gate, parts.after]).toString();
};

it('lets the workbench wait before it begins, and nowhere else', () => {
  expect(joined(`var é=1;class A{};${BEGINS}})();export{A};`)).toBe(`var é=1;class A{};await globalThis.vesselGate;${BEGINS}})();export{A};`);
});

it.each([
  ['without its beginning', 'class A{};export{A};'],
  ['with another beginning', `start(${BEGINS}`],
  ['that only speaks of it', 'let text=document.getElementById("vscode-workbench-web-configuration");'],
])('leaves a workbench %s as it is', (_what, text) => {
  expect(gateWorkbench(Buffer.from(text))).toBeNull();
});

it('waits for what the page sets, and for nothing in a page that sets nothing', async () => {
  const text = joined(`const lt={document:{getElementById:()=>1}};(function(){let s=lt.document.getElementById("vscode-workbench-web-configuration");globalThis.began=s})();export{};`) ?? '';
  const load = (): Promise<unknown> => import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(`${text}//${Math.random()}`)}`) as Promise<unknown>;
  const shared = globalThis as { vesselGate?: Promise<void>; began?: number };
  let open = (): void => undefined;
  shared.vesselGate = new Promise((resolve) => { open = resolve; });
  const loading = load();
  await new Promise((resolve) => { setTimeout(resolve, 50); });
  expect(shared.began).toBeUndefined();
  open();
  await loading;
  expect(shared.began).toBe(1);
  delete shared.vesselGate;
  delete shared.began;
  await load();
  expect(shared.began).toBe(1);
});

it('puts its script first, under the nonce of the policy', () => {
  expect(withGate('<html><head><meta>', "script-src 'self' 'nonce-abc'")).toMatch(/^<html><head><script nonce="abc">globalThis\.vesselGate = [^]+<\/script><meta>$/);
  expect(withGate('<html><head>', "script-src 'self'")).toBeNull();
  expect(withGate('<html>', "script-src 'nonce-abc'")).toBeNull();
});
