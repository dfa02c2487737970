import { expect, it } from 'vitest';
import { redact } from './redact.ts';

it.each([
  ['proxy: Bearer abcdef0123456789', 'proxy: Bearer •••'],
  ['curl -H "x: Basic QWxhZGRpbjpvcGVu"', 'curl -H "x: Basic •••"'],
  ['https://me:hunter2@example.com/a', 'https://•••@example.com/a'],
  ['git+ssh://me:hunter2@example.com', 'git+ssh://•••@example.com'],
  ['DATABASE=postgres://shop:p%40ss@db/shop and more', 'DATABASE=postgres://•••@db/shop and more'],
  ['http://127.0.0.1:3000/@types', 'http://127.0.0.1:3000/@types'],
  ['token=abcdef', 'token=•••'],
])('%s is written as %s', (text, clean) => { expect(redact(text)).toBe(clean); });

it('needs no more than linear time, whatever the text', () => {
  const long = 130_000;
  const texts = ['a.', 'a', '://', '://a', '://a:', 'Bearer ', ' ', 'token', 'token=', 'token="', 'token = ', 'secret\n', '"', 'a+-.'].map((pump) => pump.repeat(long));
  const before = process.threadCpuUsage();
  for (const text of [...texts, ...texts.map((text) => `x://${text}`), ...texts.map((text) => `token ${text}`)]) redact(text);
  expect(process.threadCpuUsage(before).user / 1000).toBeLessThan(2000);
});
