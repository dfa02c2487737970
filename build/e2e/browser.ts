import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext, type FrameLocator, type Page } from 'playwright-core';

/** Debian's Chromium; a machine without it sets CHROMIUM. */
const EXECUTABLE = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
/** A closed network must not slow the browser down with its own background traffic. */
const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export type TestBrowser = { readonly context: BrowserContext; readonly page: Page; close(): Promise<void> };

/** A browser with an empty profile. */
export async function launchBrowser(options: { readonly width?: number; readonly height?: number; readonly colorScheme?: 'light' | 'dark' } = {}): Promise<TestBrowser> {
  const profile = await mkdtemp(join(tmpdir(), 'vsl-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE, headless: true, args: QUIET, acceptDownloads: true,
    viewport: { width: options.width ?? 1280, height: options.height ?? 800 }, colorScheme: options.colorScheme ?? 'light',
  });
  const page = context.pages()[0] ?? await context.newPage();
  return {
    context, page,
    close: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

/** VS Code as the app shows it. */
export const ideOf = (page: Page): FrameLocator => page.frameLocator('[data-testid=ide-frame]');

/** Opens a file of the root folder in VS Code's explorer, like a person, and puts the cursor at its end. */
export async function openInEditor(page: Page, ide: Pick<FrameLocator, 'locator'> | Page, file: string, timeout: number): Promise<void> {
  const item = ide.locator('.explorer-folders-view .monaco-list-row', { hasText: file }).first();
  await item.waitFor({ timeout });
  await item.dblclick();
  await ide.locator('.monaco-editor .view-lines').first().waitFor({ timeout });
  await ide.locator('.monaco-editor .view-lines').first().click();
  await page.keyboard.press('Control+End');
}
