/** Where VS Code's workbench begins: up to here its module only defines things, from here on it wants a server. */
const BEGINNING = 'document.getElementById("vscode-workbench-web-configuration")';
/** What stands before it, as every minifier leaves it. */
const OPENING = /[;}]\(function\(\)\{let [\w$]+=[\w$]+\.$/;
const LOOK_BACK = 64;

/** The query by which a page asks for the workbench with its gate. */
export const GATE_QUERY = '?gate';
export const isGated = (url: string): boolean => url.endsWith(GATE_QUERY);
/** The only file that has one. */
export const hasGate = (key: string): boolean => /(?:^|\/)workbench\.js$/.test(key);

/** A page that sets nothing waits for nothing. */
const GATE = Buffer.from('await globalThis.vesselGate;');

/**
 * VS Code's workbench with a place where it waits before it begins. Nineteen megabytes of modules are read, compiled and run before anybody clicks, in a page
 * that was loaded ahead. Null for a workbench of another form.
 */
export function gateWorkbench(content: Buffer): { readonly before: Buffer; readonly gate: Buffer; readonly after: Buffer } | null {
  const beginning = content.indexOf(BEGINNING);
  if (beginning === -1) return null;
  const from = Math.max(0, beginning - LOOK_BACK);
  const opening = OPENING.exec(content.toString('latin1', from, beginning));
  if (opening === null) return null;
  const at = from + opening.index + 1;
  return { before: content.subarray(0, at), gate: GATE, after: content.subarray(at) };
}

/** Runs first in a page that was loaded ahead: the gate opens when Vessel says so, and the page forgets that it ever waited. */
const GATE_SCRIPT = `globalThis.vesselGate = (async () => {
  const address = new URL(location.href);
  const gate = address.searchParams.get('vessel-ahead');
  for (;;) {
    try {
      const { status } = await fetch('/__vessel/gate/' + gate, { cache: 'no-store' });
      if (status === 204) break;
      if (status !== 503) await new Promise(() => {});
    } catch { /* Vessel restarts: it is asked again */ }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  history.replaceState(null, '', address.pathname + address.search.replace(/&vessel-ahead=[^&]*$/, ''));
})();`;

/** The workbench's page with the script, under the nonce of its policy; null where that is not to be done. */
export function withGate(html: string, policy: string): string | null {
  const nonce = /'nonce-([A-Za-z0-9+/_=-]+)'/.exec(policy)?.[1];
  const at = html.indexOf('<head>');
  if (nonce === undefined || at === -1) return null;
  const head = at + '<head>'.length;
  return `${html.slice(0, head)}<script nonce="${nonce}">${GATE_SCRIPT}</script>${html.slice(head)}`;
}
