import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_STATE, readWindowState, writeWindowState } from './window-state.ts';

const DISPLAY = { x: 0, y: 0, width: 1920, height: 1080 };
let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vessel-window-'));
  file = join(folder, 'electron', 'window.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the remembered window', () => {
  it('comes back where it was, and nothing half-written is left', () => {
    const state = { x: 100, y: 50, width: 1000, height: 700, maximized: true };
    writeWindowState(file, state);
    expect(readWindowState(file, [DISPLAY])).toEqual(state);
    expect(readdirSync(join(folder, 'electron'))).toEqual(['window.json']);
  });

  it('loses its place, not its size, when its display is gone', () => {
    writeWindowState(file, { x: 3000, y: 50, width: 1000, height: 700, maximized: false });
    expect(readWindowState(file, [DISPLAY])).toEqual({ width: 1000, height: 700, maximized: false });
  });

  it.each(['', '{"width":', '{"width":-5,"height":1,"maximized":false}', '[]'])('is the default when the file holds %j', (text) => {
    writeWindowState(file, DEFAULT_STATE);
    writeFileSync(file, text);
    expect(readWindowState(file, [DISPLAY])).toEqual(DEFAULT_STATE);
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  it('is the default on the first start', () => {
    expect(readWindowState(file, [DISPLAY])).toEqual(DEFAULT_STATE);
  });
});
