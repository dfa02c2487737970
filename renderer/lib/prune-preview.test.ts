import { expect, it } from 'vitest';
import { revision } from '../testing/fixture-data.ts';
import { previewPrune } from './prune-preview.ts';

const NOW = 1_800_000_000_000;
const DAY = 86_400_000;
const revisions = [1, 2, 3, 4, 5].map((rev) => revision('a-k3f9', rev, NOW - (6 - rev) * DAY));
const goes = (keepRevisions: number, keepDays: number): readonly number[] => previewPrune(revisions, { keepRevisions, keepDays }, NOW).map((item) => item.rev);

it('removes by count and by age, newest first', () => {
  expect(goes(3, 90)).toEqual([2, 1]);
  expect(goes(30, 2)).toEqual([3, 2, 1]);
  expect(goes(30, 90)).toEqual([]);
});

it('never removes the last revision, however strict the rule', () => {
  expect(goes(1, 1)).toEqual([4, 3, 2, 1]);
  expect(previewPrune([revision('a-k3f9', 1, 0)], { keepRevisions: 1, keepDays: 1 }, NOW)).toEqual([]);
});
