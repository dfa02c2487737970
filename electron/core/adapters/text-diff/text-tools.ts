import { applyPatch, createTwoFilesPatch, structuredPatch, type StructuredPatch } from 'diff';
import type { TextDiff } from '#shared/archive-contract.ts';
import type { TextTools } from '../../ports/archive-reader.ts';

/** A person waits this long for a diff; two files that need more have little in common. */
const DEADLINE_MS = 1000;
const OPTIONS = { timeout: DEADLINE_MS } as const;
/** Enough that a merged hunk cannot land in a place that only looks alike. */
const MERGE_CONTEXT = 3;

export const textTools: TextTools = {
  diff(before, after, context) {
    if (before === after) return { form: 'same' };
    const patch = structuredPatch('a', 'b', before, after, undefined, undefined, { ...OPTIONS, context }) as StructuredPatch | undefined;
    if (patch === undefined) return { form: 'too-large' };
    const count = (sign: string): number => patch.hunks.reduce((sum, hunk) => sum + hunk.lines.filter((line) => line.startsWith(sign)).length, 0);
    return { form: 'text', hunks: patch.hunks.map(({ oldStart, oldLines, newStart, newLines, lines }) => ({ oldStart, oldLines, newStart, newLines, lines: [...lines] })), added: count('+'), removed: count('-') } satisfies TextDiff;
  },
  merge(base, mine, theirs) {
    if (mine === theirs || theirs === base) return mine;
    if (mine === base) return theirs;
    const patch = structuredPatch('a', 'b', base, mine, undefined, undefined, { ...OPTIONS, context: MERGE_CONTEXT }) as StructuredPatch | undefined;
    if (patch === undefined) return null;
    const merged = applyPatch(theirs, patch, { fuzzFactor: 0, autoConvertLineEndings: false });
    return merged === false ? null : merged;
  },
  patch(path, before, after) {
    const from = before === null ? '/dev/null' : `a/${path}`;
    const to = after === null ? '/dev/null' : `b/${path}`;
    const body = createTwoFilesPatch(from, to, before ?? '', after ?? '', undefined, undefined, { ...OPTIONS, context: 3 }) as string | undefined;
    return body === undefined ? '' : `diff --git a/${path} b/${path}\n${before === null ? 'new file mode 100644\n' : after === null ? 'deleted file mode 100644\n' : ''}${body.replace(/^=+\n/, '')}`;
  },
};
