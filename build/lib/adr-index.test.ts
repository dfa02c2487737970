import { expect, it } from 'vitest';
import { gaps, renderIndex } from '../generate-adr-index.mjs';

const decision = (name: string, heading: string): { readonly name: string; readonly text: string } => ({ name, text: `${heading}\n\n**Context.** …\n` });

it('lists every decision by its number, and the numbers that none has', () => {
  const index = renderIndex([decision('0012-b.md', '# 12. B | or not'), decision('0000-template.md', '# N. Title'), decision('0002-a.md', '# 2. A'), decision('README.md', '# Decisions')]);
  expect(index).toContain('| 2 | [A](0002-a.md) |\n| 12 | [B \\| or not](0012-b.md) |\n');
  expect(index).toContain('the numbers 1, 3–11.');
  expect(index).not.toContain('template.md) |');
});

it.each([
  ['another number in its heading', [decision('0002-a.md', '# 3. A')]],
  ['no number in its name', [decision('about.md', '# 3. A')]],
  ['a number that is taken', [decision('0002-a.md', '# 2. A'), decision('0002-b.md', '# 2. B')]],
])('refuses a decision with %s', (_what, files) => {
  expect(() => renderIndex(files)).toThrow('docs/adr');
});

it('writes neighbors as one span', () => {
  expect(gaps([1, 4, 5, 7])).toBe('2–3, 6');
});
