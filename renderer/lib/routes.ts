/** Every place in the app has an address in the hash, so a reload comes back to it. */
export type Route =
  | { readonly screen: 'projects'; readonly panel: 'none' | 'new' | 'import' | 'deleted' }
  | { readonly screen: 'projects'; readonly panel: 'history' | 'settings' | 'delete'; readonly projectId: string }
  | { readonly screen: 'ide'; readonly projectId: string }
  /** The files of a revision, the current one without `rev`; `path` is the file in front. */
  | { readonly screen: 'files'; readonly projectId: string; readonly rev: number | null; readonly path: string | null }
  | { readonly screen: 'diff'; readonly projectId: string; readonly from: number; readonly to: number }
  /** A link from outside (the page that says "not running"): opens the project, or goes to one of its ports. */
  | { readonly screen: 'open'; readonly projectId: string; readonly port: number | null }
  | { readonly screen: 'console'; readonly operationId: string }
  | { readonly screen: 'hosts'; readonly panel: 'none' | 'add' }
  | { readonly screen: 'host'; readonly hostId: string }
  | { readonly screen: 'settings' }
  | { readonly screen: 'activity'; readonly projectId: string | null };

export const HOME: Route = { screen: 'projects', panel: 'none' };

/** The route of a hash such as `#/projects/demo-k3f9/history`; an unknown one is the project grid. */
export function parseRoute(hash: string): Route {
  const parts = hash.replace(/^#?\/?/, '').split('/').filter((part) => part !== '').map(decode);
  const [first, second, third, fourth, fifth] = parts;
  switch (first) {
    case 'new': return { screen: 'projects', panel: 'new' };
    case 'import': return { screen: 'projects', panel: 'import' };
    case 'deleted': return { screen: 'projects', panel: 'deleted' };
    case 'projects':
      if (second === undefined) return HOME;
      if (third === 'history' || third === 'settings' || third === 'delete') return { screen: 'projects', panel: third, projectId: second };
      if (third === 'files') return { screen: 'files', projectId: second, rev: wholeNumber(fourth), path: fifth ?? null };
      if (third === 'diff') {
        const [from, to] = [wholeNumber(fourth), wholeNumber(fifth)];
        return from === null || to === null ? { screen: 'projects', panel: 'history', projectId: second } : { screen: 'diff', projectId: second, from, to };
      }
      return { screen: 'ide', projectId: second };
    case 'open': {
      const [id = '', query = ''] = (second ?? '').split('?');
      const port = Number(new URLSearchParams(query).get('port') ?? '');
      return id === '' ? HOME : { screen: 'open', projectId: id, port: Number.isInteger(port) && port > 0 && port < 65_536 ? port : null };
    }
    case 'operations': return second === undefined ? HOME : { screen: 'console', operationId: second };
    case 'hosts': return second === undefined ? { screen: 'hosts', panel: 'none' } : { screen: 'host', hostId: second };
    case 'add-host': return { screen: 'hosts', panel: 'add' };
    case 'settings': return { screen: 'settings' };
    case 'activity': return { screen: 'activity', projectId: second ?? null };
    default: return HOME;
  }
}

export function routeHash(route: Route): string {
  switch (route.screen) {
    case 'projects':
      switch (route.panel) {
        case 'none': return '#/';
        case 'new': case 'import': case 'deleted': return `#/${route.panel}`;
        case 'history': case 'settings': case 'delete': return `#/projects/${encodeURIComponent(route.projectId)}/${route.panel}`;
        default: return route satisfies never;
      }
    case 'files': return `#/projects/${encodeURIComponent(route.projectId)}/files${route.rev === null && route.path === null ? '' : `/${route.rev ?? 'current'}`}${route.path === null ? '' : `/${encodeURIComponent(route.path)}`}`;
    case 'diff': return `#/projects/${encodeURIComponent(route.projectId)}/diff/${route.from}/${route.to}`;
    case 'ide': return `#/projects/${encodeURIComponent(route.projectId)}`;
    case 'open': return `#/open/${encodeURIComponent(route.projectId)}${route.port === null ? '' : `?port=${route.port}`}`;
    case 'console': return `#/operations/${encodeURIComponent(route.operationId)}`;
    // A host may be called "add": the dialog stands beside the list, not below it.
    case 'hosts': return route.panel === 'add' ? '#/add-host' : '#/hosts';
    case 'host': return `#/hosts/${encodeURIComponent(route.hostId)}`;
    case 'settings': return '#/settings';
    case 'activity': return route.projectId === null ? '#/activity' : `#/activity/${encodeURIComponent(route.projectId)}`;
    default: return route satisfies never;
  }
}

/** A revision's number; null for anything else, such as `current`. */
function wholeNumber(text: string | undefined): number | null {
  return text !== undefined && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : null;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // A hand-typed `%` that is no escape: take it as it stands.
    return part;
  }
}
