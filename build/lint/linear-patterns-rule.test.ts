import { RuleTester } from 'eslint';
import { it } from 'vitest';
import { linearPatternsRule } from './linear-patterns-rule.ts';

const tester = new RuleTester();
const slow = [{ messageId: 'slow' }];

// Parsing every pattern takes 3 s of processor time, which a busy machine stretches.
it('finds patterns that a text can make slow', () => {
  tester.run('linear-patterns', linearPatternsRule, {
    valid: [
      String.raw`/(:\/\/)[^\s/:@]+:[^\s/@]+@/gi`,
      String.raw`/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi`,
      String.raw`/^(?:[a-z]+,)*$/`,
      String.raw`/(?<!\/)\/+$/`,
      String.raw`/^\d{1,3}(?:\.\d{1,3}){3}$/`,
      '"not a pattern"',
    ],
    invalid: [
      // A word of a guest began an attempt at every letter, and each ran to the end.
      { code: String.raw`/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/:@]+:[^\s/@]+@/gi`, errors: slow },
      { code: String.raw`/^(a+)+$/`, errors: slow },
      { code: String.raw`/^(?:a|a)*$/`, errors: slow },
      { code: String.raw`/\/+$/`, errors: slow },
      { code: String.raw`/\s+$/gm`, errors: slow },
      { code: String.raw`/^id: (\w+\s*)*;$/`, errors: slow },
      { code: String.raw`/x.*y.*=/`, errors: slow },
    ],
  });
}, 60_000);
