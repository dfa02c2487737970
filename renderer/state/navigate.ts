import { type Route, routeHash } from '../lib/routes.ts';

/** Goes to a place; the browser's Back returns. */
export function navigate(route: Route): void {
  window.location.hash = routeHash(route);
}

/** Goes to a place in the stead of the present one, so that Back does not return here. */
export function replaceRoute(route: Route): void {
  window.location.replace(routeHash(route));
}
