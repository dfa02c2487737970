import { join } from 'node:path';
import type { Page } from 'playwright-core';

export type Theme = 'light' | 'dark';
export type Camera = {
  /** The same screen in both themes, and large as well if asked. It must stand still. */
  take(name: string, options?: { readonly large?: boolean; readonly settleMs?: number }): Promise<void>;
  /** What is on the screen this moment. */
  snap(name: string, theme: Theme): Promise<void>;
  use(theme: Theme): Promise<void>;
};

const SMALL = { width: 1280, height: 800 } as const;
const LARGE = { width: 1920, height: 1080 } as const;
/** A place where nothing reacts to the pointer, on every screen. */
const POINTER = { x: 700, y: 3 } as const;
/** Longer than any transition of the design. */
const SETTLE_MS = 350;

/** Writes `<name>-<theme>.png` (1280×800) and `<name>-<theme>-1920.png` to a folder. */
export function createCamera(page: Page, folder: string, log: (file: string) => void): Camera {
  const use = async (theme: Theme): Promise<void> => { await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' }); };
  const write = async (file: string): Promise<void> => {
    // No hovered button, no passing message.
    await page.mouse.move(POINTER.x, POINTER.y);
    for (const dismiss of await page.getByTestId('toasts').getByRole('button').all()) await dismiss.click({ timeout: 1000 }).catch(() => undefined); // it left by itself
    await page.screenshot({ path: join(folder, file), animations: 'disabled', caret: 'hide' });
    log(file);
  };
  return {
    use,
    snap: (name, theme) => write(`${name}-${theme}.png`),
    take: async (name, options = {}) => {
      for (const theme of ['light', 'dark'] as const) {
        await use(theme);
        await page.waitForTimeout(options.settleMs ?? SETTLE_MS);
        await write(`${name}-${theme}.png`);
        if (options.large !== true) continue;
        await page.setViewportSize(LARGE);
        await page.waitForTimeout(options.settleMs ?? SETTLE_MS);
        await write(`${name}-${theme}-1920.png`);
        await page.setViewportSize(SMALL);
      }
    },
  };
}
