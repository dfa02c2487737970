import type { VesselError } from '#shared/errors.ts';
import type { Route } from '../../ports/gateway.ts';
import { APP_HOST, originOf, type EnvironmentTarget, type Target } from './hosts.ts';
import type { Page } from './page-html.ts';

/** A dev server restarts within a second or two. */
const PORT_RETRY_SECONDS = 2;
const START_RETRY_SECONDS = 1;
/** A save of a usual project takes a second or two. */
const STOP_RETRY_SECONDS = 2;

const openLink = (projectId: string, port: number): string => `${originOf(APP_HOST, port)}/#/open/${projectId}`;
const pathLink = (target: Extract<EnvironmentTarget, { kind: 'port' }>, port: number): string => `${openLink(target.projectId, port)}?port=${target.guestPort}`;

export function notRunningPage(target: EnvironmentTarget, name: string, port: number): Page {
  return { title: `${name} is not running`, text: ['Its last save is safe. Open it to work on it again.'], link: { label: 'Open', href: openLink(target.projectId, port) } };
}

export function startingPage(target: EnvironmentTarget): Page {
  return { title: `${target.projectId} is starting`, text: ['This page shows it as soon as it answers.'], retrySeconds: START_RETRY_SECONDS };
}

export function stoppingPage(name: string): Page {
  return { title: `${name} is stopping`, text: ['Its work is being saved and verified; then its machine is ended.'], retrySeconds: STOP_RETRY_SECONDS };
}

export function unreachablePage({ name, hostName, waits }: Extract<Route, { kind: 'unreachable' }>, target: EnvironmentTarget, port: number): Page {
  if (!waits) return { title: `${hostName} cannot be reached`, text: [`${name} goes on there, and nothing is lost. Vessel needs your help to connect again.`], link: { label: 'Show in Vessel', href: openLink(target.projectId, port) } };
  return { title: `Reconnecting to ${hostName}`, text: [`${name} goes on there, and nothing is lost. This page shows it as soon as the line is back.`], retrySeconds: START_RETRY_SECONDS };
}

export function unknownPage(target: EnvironmentTarget, port: number): Page {
  return { title: 'There is no such environment', text: [`Vessel knows no project \`${target.projectId}\`.`], link: { label: 'Show my projects', href: `${originOf(APP_HOST, port)}/` } };
}

export function guestErrorPage(target: EnvironmentTarget, error: VesselError, port: number): Page {
  if (error.code === 'GUEST_PORT_CLOSED' && target.kind === 'port') {
    return { title: `Nothing listens on port ${target.guestPort} yet`, text: [`Start your server inside ${target.projectId}. This page tries again by itself.`], retrySeconds: PORT_RETRY_SECONDS };
  }
  if (error.code === 'GUEST_PORT_FAILED' && target.kind === 'port') return { title: `Port ${target.guestPort} gave no usable answer`, text: [error.message, error.hint], retrySeconds: PORT_RETRY_SECONDS };
  return { title: error.message, text: [error.hint], link: { label: 'Show in Vessel', href: openLink(target.projectId, port) }, retrySeconds: PORT_RETRY_SECONDS };
}

/**
 * The browser has not entered this host. The app can make a new ticket; a link inside the host is enough when only this
 * request came without the cookie because another site started it (SameSite=Strict).
 */
export function notAuthorisedPage(target: Target, isCrossSite: boolean, port: number): Page {
  if (target.kind === 'app' || target.kind === 'loopback' || target.kind === 'assets') {
    return { title: 'This browser isn\'t signed in to Vessel', text: ['Run `vessel url` in a terminal of this computer, or restart `npm start`, and open the address it prints.'] };
  }
  if (isCrossSite) return continuePage(target);
  const command = target.kind === 'port' ? `vessel url ${target.projectId} --port ${target.guestPort}` : `vessel url ${target.projectId}`;
  return {
    title: 'This browser has not entered this environment yet',
    text: [`Open it from Vessel, or run \`${command}\` in a terminal and open the address it prints.`],
    link: { label: 'Open in Vessel', href: target.kind === 'port' ? pathLink(target, port) : openLink(target.projectId, port) },
  };
}

/** Another page sent the browser here: a person must confirm, and what the other page added to the address is left out. */
export function continuePage(target: Target): Page {
  const name = target.kind === 'ide' || target.kind === 'port' ? target.projectId : 'Vessel';
  return { title: `Continue to ${name}?`, text: ['Another page sent you here. Vessel asks first, so that no page can act in your name.'], link: { label: 'Continue', href: '/' } };
}

export const MISDIRECTED_PAGE: Page = { title: 'Vessel does not answer to this name', text: ['Open Vessel at its own address: run `vessel url` to see it.'] };
export const BAD_TICKET_PAGE: Page = { title: 'This address has expired', text: ['An entry address works once, for ten minutes. Run `vessel url` for a new one, or open the environment from Vessel.'] };
