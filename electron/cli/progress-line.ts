import type { Operation } from '#shared/operation.ts';
import { formatDuration } from './format.ts';
import { oneLine, type Style } from './style.ts';

export const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const;
const BAR_CELLS = 20;

/** `⠹ [██████░░░░░░░░] 42 %  1.2 s  Wait for VS Code  listening`, never wider than the terminal, so that it never wraps. */
export function renderProgressLine(operation: Operation, spinner: string, now: number, columns: number, style: Style): string {
  const filled = Math.round(operation.progress * BAR_CELLS);
  const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR_CELLS - filled)}`;
  const step = operation.steps.find((candidate) => candidate.state === 'running');
  const percent = `${Math.round(operation.progress * 100)} %`.padStart(5);
  const elapsed = formatDuration(Math.max(0, now - operation.startedAt));
  const head = `${spinner} ${bar} ${percent}  ${elapsed}  `;
  const room = Math.max(0, columns - 1 - [...head].length);
  const title = clip(oneLine(step?.title ?? operation.title), room);
  const detail = clip(oneLine(step?.detail ?? ''), Math.max(0, room - [...title].length - 2));
  return `${spinner} ${style('green', bar)} ${percent}  ${style('dim', elapsed)}  ${title}${detail === '' ? '' : `  ${style('dim', detail)}`}`;
}

function clip(text: string, room: number): string {
  const points = [...text];
  if (points.length <= room) return text;
  return room < 2 ? '' : `${points.slice(0, room - 1).join('')}…`;
}
