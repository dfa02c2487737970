/** Arrow keys move from card to card by what the eye sees: the nearest card in that direction. */
export function moveBetweenCards(event: KeyboardEvent, grid: HTMLElement): void {
  if (!['ArrowRight', 'ArrowLeft', 'ArrowUp', 'ArrowDown'].includes(event.key)) return;
  const active = document.activeElement;
  if (!(active instanceof HTMLElement) || active.closest('[popover]') !== null) return;
  const cards = [...grid.querySelectorAll<HTMLElement>('[data-project-card]')];
  const here = active.closest<HTMLElement>('[data-project-card]');
  const at = here === null ? -1 : cards.indexOf(here);
  if (at < 0) return;
  const tops = cards.map((card) => card.getBoundingClientRect().top);
  const second = tops.findIndex((top) => top !== tops[0]);
  const perRow = second === -1 ? cards.length : second;
  const next = nextCard(event.key, at, perRow, cards.length);
  if (next === at) return;
  event.preventDefault();
  cards[next]?.querySelector<HTMLElement>('[data-primary]')?.focus();
  cards[next]?.scrollIntoView({ block: 'nearest' });
}

/** The index to go to in a grid of `count` cards with `perRow` in a row; stays where there is nothing further. */
export function nextCard(key: string, at: number, perRow: number, count: number): number {
  const target = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + perRow, ArrowUp: at - perRow }[key] ?? at;
  return target >= 0 && target < count ? target : at;
}
