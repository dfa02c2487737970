import { expect, it } from 'vitest';
import { requirePublishable } from './publishable-key.ts';

const jwt = (role: string): string => ['{"alg":"HS256"}', JSON.stringify({ role, iss: 'supabase' }), 'signature'].map((part) => Buffer.from(part).toString('base64url')).join('.');

it.each(['sb_publishable_abc', jwt('anon'), 'anything-else', 'a.b.c'])('takes %s', (key) => { expect(() => requirePublishable(key)).not.toThrow(); });

it.each(['sb_secret_abcdef', ' sb_secret_abcdef', jwt('service_role')])('refuses a secret key with a fix, and does not repeat it: %s', (key) => {
  let error: unknown = null;
  try { requirePublishable(key); } catch (thrown) { error = thrown; }
  expect(error).toMatchObject({ code: 'BAD_REQUEST', hint: expect.stringContaining('sb_publishable_') as unknown });
  expect(JSON.stringify(error)).not.toContain(key.trim());
});
