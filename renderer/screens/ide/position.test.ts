import { expect, it } from 'vitest';
import { clampPosition } from './position.ts';
import { nextCard } from '../projects/card-keys.ts';

it('keeps the floating control inside the window, also after the window became smaller', () => {
  const box = { width: 300, height: 44 };
  expect(clampPosition({ right: -50, bottom: 5_000 }, box, { width: 1280, height: 800 })).toEqual({ right: 8, bottom: 748 });
  expect(clampPosition({ right: 900, bottom: 40 }, box, { width: 400, height: 300 })).toEqual({ right: 92, bottom: 40 });
  expect(clampPosition({ right: 10, bottom: 10 }, box, { width: 200, height: 30 })).toEqual({ right: 8, bottom: 8 });
});

it('moves between cards by rows and columns and stops at the edges', () => {
  expect(nextCard('ArrowRight', 0, 3, 7)).toBe(1);
  expect(nextCard('ArrowDown', 1, 3, 7)).toBe(4);
  expect(nextCard('ArrowDown', 5, 3, 7)).toBe(5);
  expect(nextCard('ArrowUp', 1, 3, 7)).toBe(1);
  expect(nextCard('ArrowLeft', 0, 3, 7)).toBe(0);
});
