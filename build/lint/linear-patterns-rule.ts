import type { Rule } from 'eslint';
import { slowText } from './attack-patterns.ts';

/** Most patterns stand once, but a watching editor lints the same file again and again. */
const verdicts = new Map<string, string | null>();

/**
 * A pattern that needs more than linear time for some text lets whoever writes that text stop the process: found by
 * feeding each pattern what its endless parts take, and measuring.
 */
export const linearPatternsRule: Rule.RuleModule = {
  meta: { type: 'problem', schema: [], messages: { slow: 'On a long text of {{text}}… this pattern takes more than linear time. Bound the repetition, or begin it with something that cannot stand inside it.' } },
  create(context) {
    return {
      Literal(node) {
        if (!('regex' in node)) return;
        const { pattern, flags } = node.regex;
        const key = `${flags}/${pattern}`;
        let verdict = verdicts.get(key);
        if (verdict === undefined) {
          verdict = slowText(pattern, flags);
          verdicts.set(key, verdict);
        }
        if (verdict !== null) context.report({ node, messageId: 'slow', data: { text: JSON.stringify(verdict) } });
      },
    };
  },
};
