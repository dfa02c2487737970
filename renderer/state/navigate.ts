import { parseRoute, type Route, routeHash } from '../lib/routes.ts';

/** Goes to a place; the browser's Back returns. */
export function navigate(route: Route): void {
  window.location.hash = routeHash(route);
}

/** Goes to a place in the stead of the present one, so that Back does not return here. */
export function replaceRoute(route: Route): void {
  window.location.replace(routeHash(route));
}

/** Leaves `from` for `to`; does nothing once the user is elsewhere, so that a late answer closes only what it belongs to. */
export function leaveRoute(from: Route, to: Route): void {
  if (routeHash(parseRoute(window.location.hash)) === routeHash(from)) replaceRoute(to);
}

/** Remembers the place. The function says whether the user is still there: an answer that comes late must not carry them off. */
export function stillHere(): () => boolean {
  const { hash } = window.location;
  return () => window.location.hash === hash;
}
