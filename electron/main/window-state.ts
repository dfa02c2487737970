import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';

const StateSchema = z.object({
  x: z.number().int().optional(),
  y: z.number().int().optional(),
  width: z.number().int().min(400).max(20_000),
  height: z.number().int().min(300).max(20_000),
  maximized: z.boolean(),
});
export type WindowState = z.infer<typeof StateSchema>;
export type Area = { readonly x: number; readonly y: number; readonly width: number; readonly height: number };

/** Fits a 1440 × 900 screen with its bars. */
export const DEFAULT_STATE: WindowState = { width: 1280, height: 820, maximized: false };
/** A title bar needs this much on a screen, or nobody can drag the window back. */
const VISIBLE_PX = 80;

/** The remembered state, without its position when no display shows it any more. A missing or damaged file means the default. */
export function readWindowState(path: string, displays: readonly Area[]): WindowState {
  let parsed: WindowState | undefined;
  try {
    parsed = StateSchema.safeParse(JSON.parse(readFileSync(path, 'utf8'))).data;
  } catch (error) {
    if (!(error instanceof SyntaxError) && (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  if (parsed === undefined) return DEFAULT_STATE;
  const { x, y, ...size } = parsed;
  if (x === undefined || y === undefined) return size;
  const visible = displays.some((area) => x + size.width > area.x + VISIBLE_PX && x < area.x + area.width - VISIBLE_PX && y >= area.y && y < area.y + area.height - VISIBLE_PX);
  return visible ? parsed : size;
}

/** Writes whole or not at all. */
export function writeWindowState(path: string, state: WindowState): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, JSON.stringify(state));
  renameSync(`${path}.new`, path);
}
