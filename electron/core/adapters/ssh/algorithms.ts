import { invalidLine, type ConfigLine } from './config-line.ts';
import { matchesPattern } from './known-hosts.ts';
import { single } from './config-values.ts';

/** Names of the algorithms to offer, best first; null leaves the choice to Vessel. */
export type AlgorithmChoice = { readonly ciphers: readonly string[] | null; readonly macs: readonly string[] | null; readonly kex: readonly string[] | null; readonly hostKeys: readonly string[] | null };

type Known = { /** What Vessel offers by itself. */ readonly usual: readonly string[]; /** What ssh2 1.17 can do beyond that, for old servers that were named in the configuration. */ readonly more: readonly string[] };

/** Measured fastest in ssh2 without native code, on processors with AES; the rest only for servers that have neither. */
export const CIPHERS: Known = {
  usual: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes128-ctr', 'aes192-ctr', 'aes256-ctr', 'chacha20-poly1305@openssh.com'],
  more: ['aes256-cbc', 'aes192-cbc', 'aes128-cbc', '3des-cbc'],
};
export const MACS: Known = {
  usual: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha1-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512', 'hmac-sha1'],
  more: ['hmac-md5', 'hmac-sha1-96', 'hmac-md5-96'],
};
export const KEY_EXCHANGES: Known = {
  usual: [
    'curve25519-sha256@libssh.org', 'curve25519-sha256', 'ecdh-sha2-nistp256', 'ecdh-sha2-nistp384', 'ecdh-sha2-nistp521', 'diffie-hellman-group-exchange-sha256', 'diffie-hellman-group14-sha256',
    'diffie-hellman-group15-sha512', 'diffie-hellman-group16-sha512', 'diffie-hellman-group17-sha512', 'diffie-hellman-group18-sha512',
  ],
  more: ['diffie-hellman-group-exchange-sha1', 'diffie-hellman-group14-sha1', 'diffie-hellman-group1-sha1'],
};
/** Never SHA-1 by itself. */
export const HOST_KEYS: Known = {
  usual: ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'rsa-sha2-512', 'rsa-sha2-256'],
  more: ['ssh-rsa'],
};

/**
 * The algorithms that a line asks for, of those that can be had: a list, or `+` (more), `-` (without), `^` (first) with
 * patterns. null without a line. Throws SSH_CONFIG_INVALID when nothing is left.
 */
export function chooseAlgorithms(line: ConfigLine | undefined, { usual, more }: Known): readonly string[] | null {
  if (line === undefined) return null;
  const text = single(line);
  const sign = /^[+^-]/.exec(text)?.[0] ?? '';
  const patterns = text.slice(sign.length).split(',');
  const fits = (pattern: string): readonly string[] => [...usual, ...more].filter((name) => matchesPattern(pattern, name));
  const named = [...new Set(patterns.flatMap(fits))];
  const chosen = sign === '+' ? [...usual, ...named.filter((name) => !usual.includes(name))]
    : sign === '-' ? usual.filter((name) => !named.includes(name))
    : sign === '^' ? [...named, ...usual.filter((name) => !named.includes(name))]
    : named;
  if (chosen.length === 0) throw invalidLine(line, `Vessel can do none of ${text}; it can do ${[...usual, ...more].join(', ')}`);
  return chosen;
}
