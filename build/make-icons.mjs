#!/usr/bin/env node
// Draws the icon's PNGs from renderer/public/icon.svg with a real browser. The results are committed: run it after a change.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { root } from './lib/paths.mjs';

/** electron-builder makes every other size from 512; the tray scales 64 down. */
const ICONS = [{ file: 'build/icon.png', pixels: 512 }, { file: 'renderer/public/tray.png', pixels: 64 }];

const svg = readFileSync(join(root, 'renderer', 'public', 'icon.svg'), 'utf8');
const browser = await chromium.launch({ executablePath: process.env.VESSEL_CHROMIUM ?? '/usr/bin/chromium', args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
try {
  for (const { file, pixels } of ICONS) {
    const page = await browser.newPage({ viewport: { width: pixels, height: pixels } });
    await page.setContent(`<style>body{margin:0;background:transparent}svg{display:block;width:${pixels}px;height:${pixels}px}</style>${svg}`);
    await page.screenshot({ path: join(root, file), omitBackground: true });
    await page.close();
  }
} finally {
  await browser.close();
}
