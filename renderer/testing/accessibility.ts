import type { Page } from 'playwright-core';

/** How many Tab presses are looked at on one screen. */
const TABS = 25;

/**
 * Basic checks of the page as it stands: names of controls, labels of fields, unique ids, one main heading, a language, and
 * a visible focus on whatever Tab reaches. Returns one sentence a problem.
 */
export async function findAccessibilityProblems(page: Page): Promise<readonly string[]> {
  const found = await page.evaluate(() => {
    const problems: string[] = [];
    const shown = (element: Element): boolean => element.getClientRects().length > 0;
    const name = (element: Element): string => (element.getAttribute('aria-label') ?? element.textContent ?? '').trim();
    const where = (element: Element): string => element.outerHTML.slice(0, 120);
    for (const element of document.querySelectorAll('button, a[href], [role=button], [role=menuitem], [role=tab]')) {
      if (shown(element) && name(element) === '' && element.getAttribute('aria-hidden') !== 'true') problems.push(`no name: ${where(element)}`);
    }
    for (const field of document.querySelectorAll<HTMLInputElement>('input, select, textarea')) {
      if (shown(field) && (field.labels?.length ?? 0) === 0 && field.getAttribute('aria-label') === null) problems.push(`no label: ${where(field)}`);
    }
    for (const image of document.querySelectorAll('svg')) {
      if (image.getAttribute('aria-hidden') !== 'true' && image.getAttribute('aria-label') === null) problems.push(`picture without a name: ${where(image)}`);
    }
    const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
    for (const id of new Set(ids.filter((id, index) => ids.indexOf(id) !== index))) problems.push(`the id ${id} occurs twice`);
    for (const list of document.querySelectorAll('[aria-controls], [aria-labelledby], [aria-describedby]')) {
      for (const attribute of ['aria-controls', 'aria-labelledby', 'aria-describedby']) {
        for (const id of (list.getAttribute(attribute) ?? '').split(/\s+/).filter((part) => part !== '')) if (document.getElementById(id) === null) problems.push(`${attribute} points to nothing: ${where(list)}`);
      }
    }
    if (document.querySelectorAll('h1').length !== 1) problems.push(`${document.querySelectorAll('h1').length} main headings`);
    if (document.documentElement.lang === '') problems.push('no language');
    return problems;
  });
  const unseen: string[] = [];
  for (let press = 0; press < TABS; press += 1) {
    await page.keyboard.press('Tab');
    const blind = await page.evaluate(() => {
      const element = document.activeElement;
      if (element === null || element === document.body) return null;
      const marked = (target: Element): boolean => { const style = getComputedStyle(target); return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1; };
      // A hidden radio shows its focus on the card around it; a scrolling panel needs no ring of its own.
      const around = element.closest('label');
      return marked(element) || (around !== null && marked(around)) || element.getAttribute('tabindex') === '-1' || element.tagName === 'DIALOG' ? null : element.outerHTML.slice(0, 120);
    });
    if (blind !== null) unseen.push(`focus is not visible: ${blind}`);
  }
  return [...found, ...new Set(unseen)];
}
