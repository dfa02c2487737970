import { expect, it } from 'vitest';
import { copyName } from './copy-name.ts';

it.each([['src/app.jsx', 'src/app.copy-090503.jsx'], ['Makefile', 'Makefile.copy-090503'], ['.env', '.env.copy-090503'], ['a.b/c', 'a.b/c.copy-090503']])('a second text of %s lies beside it as %s', (path, copy) => {
  expect(copyName(path, new Date(2026, 0, 1, 9, 5, 3))).toBe(copy);
});
