import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

/** WCAG 2.2, 1.4.3: normal text needs 4.5:1. */
const TEXT_CONTRAST = 4.5;
const css = readFileSync(new URL('./tokens.css', import.meta.url), 'utf8');

function tokens(selector: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const block of css.split('}')) {
    const [head = '', body = ''] = block.split('{');
    if (head.replace(/\/\*[^]*?\*\//g, '').trim() !== selector) continue;
    for (const [, name = '', value = ''] of body.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g)) found.set(name, value);
  }
  return found;
}

function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

const PLAIN = ['canvas', 'surface', 'raised', 'sunken'];
const PAIRS: readonly (readonly [string, readonly string[]])[] = [
  ['ink', [...PLAIN, 'accent-soft', 'bad-soft']], ['ink-soft', [...PLAIN, 'accent-soft', 'warn-soft', 'bad-soft', 'info-soft']], ['ink-faint', PLAIN],
  ['accent', ['canvas', 'surface', 'raised', 'accent-soft']], ['on-accent', ['accent', 'accent-hover']],
  ['ok', ['surface', 'canvas', 'ok-soft']], ['warn', ['surface', 'warn-soft', 'raised']], ['bad', ['surface', 'raised', 'bad-soft']], ['info', ['surface', 'info-soft']],
];

it.each([['light', ':root'], ['dark', ":root[data-theme='dark']"]])('every text in the %s theme has a contrast of at least 4.5:1', (_theme, selector) => {
  const values = tokens(selector);
  for (const [text, backs] of PAIRS) for (const back of backs) {
    const ratio = contrast(values.get(text) ?? '#000000', values.get(back) ?? '#000000');
    expect(ratio, `${text} on ${back}`).toBeGreaterThanOrEqual(TEXT_CONTRAST);
  }
});

it('every text of the console has a contrast of at least 4.5:1', () => {
  const values = tokens(':root');
  for (const text of ['text', 'bright', 'dim', 'green', 'amber', 'red']) for (const back of ['back', 'panel']) {
    expect(contrast(values.get(`term-${text}`) ?? '#000000', values.get(`term-${back}`) ?? '#000000'), `${text} on ${back}`).toBeGreaterThanOrEqual(TEXT_CONTRAST);
  }
});
