import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { HOST_KEYS } from './algorithms.ts';
import { hostKeyOf, isFingerprint } from './host-key.ts';
import { hostKeyAlgorithms, judgeHostKey } from './host-key-verdict.ts';
import { keysFor, knownName } from './known-hosts.ts';

/** A blob of a type, with a body of its own. */
const blob = (type: string, body: string): Buffer => { const head = Buffer.alloc(4); head.writeUInt32BE(type.length); return Buffer.concat([head, Buffer.from(type), Buffer.from(body)]); };
const MINE = blob('ssh-ed25519', 'mine');
const OTHER = blob('ssh-ed25519', 'other');
const RSA = blob('ssh-rsa', 'rsa');
const b64 = (data: Buffer): string => data.toString('base64');
const hashed = (name: string, salt = 'salt'): string => `|1|${b64(Buffer.from(salt))}|${createHmac('sha1', salt).update(name).digest('base64')}`;
const lines = (name: string, text: string): readonly number[] => keysFor(name, 'f', text).map(({ line }) => line);

describe('known_hosts', () => {
  it('is asked by the plain name on port 22 and by [name]:port elsewhere, in lower case', () => {
    expect([knownName('Box', 22), knownName('Box', 2222), knownName('::1', 7)]).toEqual(['box', '[box]:2222', '[::1]:7']);
    expect(lines('box', `box ssh-ed25519 ${b64(MINE)}\n[box]:2222 ssh-ed25519 ${b64(MINE)}`)).toEqual([1]);
    expect(lines('[box]:2222', `box ssh-ed25519 ${b64(MINE)}\n[box]:2222 ssh-ed25519 ${b64(MINE)}`)).toEqual([2]);
  });
  it('knows lists, patterns, refusals, hashes, comments, and counts every line', () => {
    const key = `ssh-ed25519 ${b64(MINE)}`;
    expect(lines('a.corp', `# c\n\nx,a.corp ${key} note\n*.corp ${key}\n*.corp,!a.corp ${key}\n?.corp ${key}\n${hashed('a.corp')} ${key}\n${hashed('b.corp')} ${key}\n  a.corp\t${key}\r\na.corp\nabcorp ${key}`)).toEqual([3, 4, 6, 7, 9]);
  });
  it('tells revoked keys and authorities from plain ones, and skips markers it does not know', () => {
    expect(keysFor('box', 'f', `@revoked * ssh-ed25519 ${b64(MINE)}\n@cert-authority box ssh-ed25519 ${b64(MINE)}\n@new box ssh-ed25519 ${b64(MINE)}`).map(({ marker }) => marker)).toEqual(['revoked', 'cert-authority']);
  });
  it('survives what is no known_hosts at all', () => {
    for (const text of ['\u0000\u0001', '|1|', '|1|x|', '|2|a|b ssh-ed25519 AAAA', 'box', '@revoked', '(*[ ssh-ed25519 AAAA']) expect(keysFor('box', 'f', text)).toEqual([]);
  });
});

describe('the verdict on a host key', () => {
  const judge = (text: string, given: { readonly key?: Buffer; readonly accepted?: readonly string[] } = {}): string => judgeHostKey({
    name: 'box', host: 'box', port: 22, key: hostKeyOf(given.key ?? MINE), known: keysFor('box', 'f', text), accepted: given.accepted ?? [], files: ['f'],
  });
  const code = (work: () => unknown): unknown => { try { return work(); } catch (error) { return (error as { code: unknown }).code; } };
  const mine = hostKeyOf(MINE).fingerprint;

  it('trusts what is on file, even beside an older key, and asks about what is not', () => {
    expect(judge(`box ssh-ed25519 ${b64(MINE)}`)).toBe('known');
    expect(judge(`box ssh-ed25519 ${b64(OTHER)}\nbox ssh-ed25519 ${b64(MINE)}`)).toBe('known');
    expect(code(() => judge(''))).toBe('HOST_KEY_UNKNOWN');
    expect(judge('', { accepted: [mine] })).toBe('accept');
    expect(judge('', { accepted: ['SHA256:x', `${mine}=`] })).toBe('accept');
    for (const wrong of ['', 'SHA256:', mine.slice(0, -1), mine.toLowerCase(), mine.slice('SHA256:'.length), '*', 'yes']) expect(code(() => judge('', { accepted: [wrong] })), wrong).toBe('HOST_KEY_UNKNOWN');
  });
  it('stops hard at a change, of the key or of its type, whatever was accepted', () => {
    for (const accepted of [[], [mine]]) {
      expect(code(() => judge(`box ssh-ed25519 ${b64(OTHER)}`, { accepted }))).toBe('HOST_KEY_CHANGED');
      expect(code(() => judge(`box ssh-rsa ${b64(RSA)}`, { accepted }))).toBe('HOST_KEY_CHANGED');
      expect(code(() => judge(`box ssh-ed25519 ${b64(MINE)}\n@revoked box ssh-ed25519 ${b64(MINE)}`, { accepted }))).toBe('HOST_KEY_REVOKED');
    }
    expect(code(() => judge(`@cert-authority box ssh-ed25519 ${b64(OTHER)}`))).toBe('HOST_KEY_AUTHORITY');
  });
  it('offers the types on file first, and never SHA-1', () => {
    expect(hostKeyAlgorithms([], HOST_KEYS.usual)[0]).toBe('ssh-ed25519');
    expect(hostKeyAlgorithms(keysFor('box', 'f', `box ssh-rsa ${b64(RSA)}`), HOST_KEYS.usual).slice(0, 3)).toEqual(['rsa-sha2-512', 'rsa-sha2-256', 'ssh-ed25519']);
    expect(hostKeyAlgorithms([], HOST_KEYS.usual)).not.toContain('ssh-rsa');
  });
  it('reads type and fingerprint of a blob, and nothing out of an empty one', () => {
    expect(hostKeyOf(MINE)).toMatchObject({ type: 'ssh-ed25519', fingerprint: expect.stringMatching(/^SHA256:[A-Za-z0-9+/]{43}$/) as unknown });
    expect(hostKeyOf(Buffer.alloc(0)).type).toBe('');
    expect(isFingerprint(mine, hostKeyOf(OTHER))).toBe(false);
  });
});
