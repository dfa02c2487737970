import { describe, expect, it } from 'vitest';
import { findSecrets, secretName } from './secret-patterns.ts';

/** Put together here, so that no scanner takes this file for a leak. */
const token = (prefix: string, length: number): string => prefix + 'A1b2C3d4'.repeat(20).slice(0, length);

describe('secrets in a text', () => {
  it.each([
    ['AWS access key', `id = ${'AKIA'}${'ABCDEFGHIJ234567'}`], ['GitHub token', token('ghp_', 36)], ['GitLab token', token('glpat-', 20)], ['Stripe live key', token('sk_live_', 24)],
    ['Slack token', token('xoxb-', 30)], ['npm token', token('npm_', 36)], ['Supabase secret key', token('sb_secret_', 24)], ['private key', `${'-----BEGIN'} OPENSSH PRIVATE KEY-----`],
    ['password in an address', 'DATABASE_URL=postgres://shop:hunter2hunter2@db.example.com/shop'],
  ])('finds a %s and does not repeat it', (kind, text) => {
    const [found] = findSecrets(`first line\n${text}\n`);
    expect(found).toMatchObject({ kind, line: 2 });
    if (kind !== 'private key') expect(text).not.toBe(found?.hint);
    if (kind !== 'private key') expect((found?.hint ?? '').length).toBeLessThan(8);
  });

  it('leaves placeholders and ordinary text alone', () => {
    for (const text of ['postgres://user:password@localhost/db', 'https://user:${TOKEN}@host', 'redis://a:<secret>@b', 'npm_config_cache', 'sk_live_', 'const AKIA = 1', 'ghp_short']) expect(findSecrets(text), text).toEqual([]);
  });

  it('tells the line of each, in order', () => {
    expect(findSecrets(`a\n${token('npm_', 36)}\nb\nc\n${token('ghp_', 36)} ${token('glpat-', 20)}`).map(({ line }) => line)).toEqual([2, 5, 5]);
  });

  it('stays quick on a text made to confuse it', () => {
    const began = performance.now();
    findSecrets('https://'.repeat(200_000) + ':'.repeat(100_000));
    expect(performance.now() - began).toBeLessThan(2000);
  });
});

it.each([['a/.env', 'environment file'], ['.env.local', 'environment file'], ['.env.example', null], ['.envrc', null], ['x/id_ed25519', 'SSH key'], ['id_ed25519.pub', null], ['cert.p12', 'key store'], ['src/env.ts', null]])('%s is %s by its name', (path, kind) => {
  expect(secretName(path)).toBe(kind);
});
