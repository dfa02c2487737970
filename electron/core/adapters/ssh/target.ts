import { VesselError } from '#shared/errors.ts';

/** What a person typed, taken apart. `host` may be an alias of the SSH configuration. */
export type SshTarget = { readonly user: string | null; readonly host: string; readonly port: number | null };

/** `-` first would be an option to other programs; spaces and control characters are never part of a name. */
const HOST = /^(?!-)[^\s@/\\\u0000-\u001f]+$/;
const USER = /^(?!-)[^\s@:\u0000-\u001f]+$/;

/**
 * `host`, `user@host`, `user@host:port`, `user@[::1]:port`, a bare IPv6 address, or `ssh://user@host:port`.
 * A user name may hold an `@` itself (`ada@corp@host`): the last one counts. Throws BAD_REQUEST.
 */
export function parseTarget(text: string): SshTarget {
  const trimmed = text.trim();
  const refuse = (why: string): never => { throw new VesselError('BAD_REQUEST', `"${trimmed}" is no SSH target: ${why}`, { hint: 'Give user@host, user@host:port, ssh://user@host:port or an alias of ~/.ssh/config.', details: { target: trimmed } }); };
  const isUrl = /^ssh:\/\//i.test(trimmed);
  const rest = isUrl ? trimmed.slice('ssh://'.length).replace(/\/$/, '') : trimmed;
  if (isUrl && rest.includes('/')) refuse('an ssh:// address has no path');
  const at = rest.lastIndexOf('@');
  const rawUser = at === -1 ? null : rest.slice(0, at);
  const user = rawUser !== null && isUrl ? decodeUser(rawUser, refuse) : rawUser;
  if (user !== null && (user === '' || !USER.test(user.replaceAll('@', '')))) refuse('the user name is empty or holds what no user name holds (a password does not belong here)');
  const { host, port } = splitPort(rest.slice(at + 1), refuse);
  if (!HOST.test(host)) refuse('the host name is empty or holds what no host name holds');
  return { user, host, port };
}

/** The target in its shortest unambiguous form, as it is shown and as ProxyJump takes it. */
export function formatTarget({ user, host, port }: SshTarget): string {
  const address = port === null ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return user === null ? address : `${user}@${address}`;
}

function decodeUser(text: string, refuse: (why: string) => never): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return refuse('the user name is badly percent-encoded');
  }
}

function splitPort(text: string, refuse: (why: string) => never): { readonly host: string; readonly port: number | null } {
  const bracketed = /^\[([^\]]+)\](?::(.*))?$/.exec(text);
  if (bracketed !== null) return { host: bracketed[1] ?? '', port: parsePort(bracketed[2], refuse) };
  // More than one colon without brackets is an IPv6 address.
  if (text.split(':').length > 2) return { host: text, port: null };
  const [host = '', port] = text.split(':');
  return { host, port: parsePort(port, refuse) };
}

function parsePort(text: string | undefined, refuse: (why: string) => never): number | null {
  if (text === undefined) return null;
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535) refuse('the port is no number from 1 to 65535');
  return port;
}
