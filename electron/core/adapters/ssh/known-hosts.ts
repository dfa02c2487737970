import { createHmac } from 'node:crypto';

export type KnownKey = {
  readonly file: string;
  /** Counted from 1, as editors and ssh-keygen do. */
  readonly line: number;
  readonly marker: 'none' | 'revoked' | 'cert-authority';
  readonly type: string;
  readonly blob: Buffer;
};

/** What sshd(8), SSH_KNOWN_HOSTS FILE FORMAT, calls a host: `name` on port 22, `[name]:port` elsewhere; lower case. */
export function knownName(host: string, port: number): string {
  const lower = host.toLowerCase();
  return port === 22 ? lower : `[${lower}]:${port}`;
}

/** The lines of a known_hosts file that speak about `name`. What cannot be read is skipped, as OpenSSH does. */
export function keysFor(name: string, file: string, text: string): readonly KnownKey[] {
  return text.split('\n').flatMap((raw, index) => {
    const fields = raw.trim().split(/\s+/);
    if (fields[0] === '' || fields[0]?.startsWith('#') === true) return [];
    const marker = fields[0]?.startsWith('@') === true ? fields.shift() : undefined;
    const [hosts, type, base64] = fields;
    if (hosts === undefined || type === undefined || base64 === undefined || !matchesHosts(hosts, name)) return [];
    const kind = marker === undefined ? 'none' : marker === '@revoked' ? 'revoked' : marker === '@cert-authority' ? 'cert-authority' : null;
    if (kind === null) return [];
    return [{ file, line: index + 1, marker: kind, type, blob: Buffer.from(base64, 'base64') }];
  });
}

function matchesHosts(hosts: string, name: string): boolean {
  if (hosts.startsWith('|')) return matchesHash(hosts, name);
  let found = false;
  for (const pattern of hosts.toLowerCase().split(',')) {
    if (pattern.startsWith('!')) {
      if (matchesPattern(pattern.slice(1), name)) return false;
    } else if (matchesPattern(pattern, name)) found = true;
  }
  return found;
}

/** `|1|salt|hash`: HMAC-SHA1 of the name keyed by the salt, both base64. */
function matchesHash(hosts: string, name: string): boolean {
  const [, version, salt, hash] = hosts.split('|');
  if (version !== '1' || salt === undefined || hash === undefined) return false;
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
}

/** `*` and `?` of ssh_config(5), PATTERNS; everything else is literal. */
export function matchesPattern(pattern: string, text: string): boolean {
  const source = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*').replace(/\?/g, '.');
  return new RegExp(`^${source}$`, 's').test(text);
}
