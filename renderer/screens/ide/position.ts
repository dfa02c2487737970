/** The control keeps its place relative to the nearest corner, so a resized window keeps it in view. */
export type Position = { readonly right: number; readonly bottom: number };

/** Above VS Code's status bar, beside its scroll bar. */
export const DEFAULT_POSITION: Position = { right: 28, bottom: 40 };
const MARGIN = 8;

/** The position nearest to `wanted` that leaves a box of this size wholly inside the window. Sizes in CSS pixels. */
export function clampPosition(wanted: Position, box: { readonly width: number; readonly height: number }, view: { readonly width: number; readonly height: number }): Position {
  const clamp = (value: number, most: number): number => Math.min(Math.max(MARGIN, value), Math.max(MARGIN, most - MARGIN));
  return { right: clamp(wanted.right, view.width - box.width), bottom: clamp(wanted.bottom, view.height - box.height) };
}

const KEY = 'vessel-control-position';

export function loadPosition(storage: Storage): Position {
  const [right, bottom] = (storage.getItem(KEY) ?? '').split(',').map(Number);
  if (right === undefined || bottom === undefined || !Number.isFinite(right) || !Number.isFinite(bottom)) return DEFAULT_POSITION;
  return { right, bottom };
}

export function storePosition(storage: Storage, position: Position): void {
  storage.setItem(KEY, `${Math.round(position.right)},${Math.round(position.bottom)}`);
}
