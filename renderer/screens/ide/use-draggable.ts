import { type KeyboardEvent, type PointerEvent, type RefObject, useEffect, useRef, useState } from 'react';
import { clampPosition, loadPosition, type Position, storePosition } from './position.ts';

const KEY_STEP_PX = 24;

export type Draggable = {
  readonly position: Position;
  readonly dragging: boolean;
  readonly handle: {
    onPointerDown(event: PointerEvent<HTMLElement>): void;
    onPointerMove(event: PointerEvent<HTMLElement>): void;
    onPointerUp(event: PointerEvent<HTMLElement>): void;
    onKeyDown(event: KeyboardEvent<HTMLElement>): void;
  };
};

/** Lets a fixed box be moved by its handle, with the pointer or the arrow keys; the place is remembered. */
export function useDraggable(box: RefObject<HTMLElement | null>): Draggable {
  const [position, setPosition] = useState<Position>(() => loadPosition(localStorage));
  const [dragging, setDragging] = useState(false);
  const start = useRef<{ readonly x: number; readonly y: number; readonly position: Position } | null>(null);

  const inside = (wanted: Position): Position => {
    const size = box.current?.getBoundingClientRect() ?? { width: 0, height: 0 };
    return clampPosition(wanted, size, { width: window.innerWidth, height: window.innerHeight });
  };
  useEffect(() => {
    const onResize = (): void => setPosition((before) => {
      const size = box.current?.getBoundingClientRect() ?? { width: 0, height: 0 };
      return clampPosition(before, size, { width: window.innerWidth, height: window.innerHeight });
    });
    onResize();
    window.addEventListener('resize', onResize);
    return () => window.removeEventListener('resize', onResize);
  }, [box]);

  const move = (wanted: Position): void => {
    const next = inside(wanted);
    setPosition(next);
    storePosition(localStorage, next);
  };
  return {
    position, dragging,
    handle: {
      onPointerDown: (event) => {
        start.current = { x: event.clientX, y: event.clientY, position };
        event.currentTarget.setPointerCapture(event.pointerId);
        setDragging(true);
      },
      onPointerMove: (event) => {
        const from = start.current;
        if (from !== null) move({ right: from.position.right - (event.clientX - from.x), bottom: from.position.bottom - (event.clientY - from.y) });
      },
      onPointerUp: () => { start.current = null; setDragging(false); },
      onKeyDown: (event) => {
        const step = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        move({ right: position.right + (step[0] ?? 0) * KEY_STEP_PX, bottom: position.bottom + (step[1] ?? 0) * KEY_STEP_PX });
      },
    },
  };
}
