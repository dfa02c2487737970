import { describe, expect, it } from 'vitest';
import { mergeDraft, sameSettings } from './merge-draft.ts';

const base = { keepReady: true, retention: { keepRevisions: 50, keepDays: 90 }, defaults: { tier: 'medium', exclude: { preset: 'safe', rules: [] as readonly string[] } } };

describe('mergeDraft', () => {
  it('keeps what was typed and shows what changed elsewhere', () => {
    const draft = { ...base, retention: { ...base.retention, keepDays: 7 } };
    const incoming = { ...base, keepReady: false, retention: { ...base.retention, keepRevisions: 10 } };
    expect(mergeDraft({ base, draft, incoming })).toEqual({ ...base, keepReady: false, retention: { keepRevisions: 10, keepDays: 7 } });
  });
  it('keeps what was typed over a change of the same field', () => {
    expect(mergeDraft({ base, draft: { ...base, keepReady: false }, incoming: { ...base, keepReady: true } }).keepReady).toBe(false);
  });
  it('follows everything while nothing was typed', () => {
    const incoming = { ...base, defaults: { tier: 'large', exclude: { preset: 'none', rules: ['*.log'] } } };
    expect(mergeDraft({ base, draft: structuredClone(base), incoming })).toEqual(incoming);
  });
  it('takes a list as one field', () => {
    const draft = { ...base, defaults: { ...base.defaults, exclude: { preset: 'safe', rules: ['mine'] } } };
    const incoming = { ...base, defaults: { tier: 'small', exclude: { preset: 'safe', rules: ['theirs'] } } };
    expect(mergeDraft({ base, draft, incoming }).defaults).toEqual({ tier: 'small', exclude: { preset: 'safe', rules: ['mine'] } });
  });
  it('has nothing left to save once the typed value was stored', () => {
    const draft = { ...base, keepReady: false };
    expect(sameSettings(mergeDraft({ base, draft, incoming: structuredClone(draft) }), draft)).toBe(true);
  });
});
