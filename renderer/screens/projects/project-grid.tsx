import { type KeyboardEvent, type ReactNode, useLayoutEffect, useRef, useState } from 'react';
import { useVirtualizer } from '@tanstack/react-virtual';
import type { Project } from '#shared/project.ts';
import { moveBetweenCards } from './card-keys.ts';
import { ProjectCard } from './project-card.tsx';

const CARD_MIN_WIDTH = 340;
const GAP = 16;
/** The height of a card with nothing special to say. A wrong estimate makes every row that comes into view a new layout of the whole list. */
const CARD_HEIGHT = 207;
const OVERSCAN_ROWS = 3;

/** The cards, as many in a row as fit; of thousands only those in view exist. */
export function ProjectGrid({ projects }: { readonly projects: readonly Project[] }): ReactNode {
  const grid = useRef<HTMLDivElement>(null);
  const [columns, setColumns] = useState(1);
  const [margin, setMargin] = useState(0);
  useLayoutEffect(() => {
    const element = grid.current;
    if (element === null) return;
    const measure = (): void => {
      setColumns(Math.max(1, Math.floor((element.clientWidth + GAP) / (CARD_MIN_WIDTH + GAP))));
      const scroller = scrollerOf(element);
      setMargin(element.getBoundingClientRect().top - scroller.getBoundingClientRect().top + scroller.scrollTop);
    };
    measure();
    // A banner that comes or goes above moves the grid without resizing it; the page that both lie in does change.
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    if (element.parentElement !== null) observer.observe(element.parentElement);
    return () => observer.disconnect();
  }, []);
  const rows = useVirtualizer({
    count: Math.ceil(projects.length / columns), getScrollElement: () => (grid.current === null ? null : scrollerOf(grid.current)), estimateSize: () => CARD_HEIGHT, gap: GAP, overscan: OVERSCAN_ROWS, scrollMargin: margin,
  });
  return (
    <div
      ref={grid} className="relative w-full" data-testid="project-grid" style={{ height: rows.getTotalSize() }}
      onKeyDown={(event: KeyboardEvent<HTMLDivElement>) => moveBetweenCards(event.nativeEvent, event.currentTarget)}
    >
      {rows.getVirtualItems().map(({ index, start }) => (
        <div key={index} ref={rows.measureElement} data-index={index} className="absolute inset-x-0 top-0 grid gap-4" style={{ transform: `translateY(${start - margin}px)`, gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))` }}>
          {projects.slice(index * columns, (index + 1) * columns).map((project) => <ProjectCard key={project.id} project={project} />)}
        </div>
      ))}
    </div>
  );
}

function scrollerOf(element: HTMLElement): HTMLElement {
  return element.closest<HTMLElement>('[data-scroller]') ?? document.documentElement;
}
