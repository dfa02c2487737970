import { oneLine, type Style } from './style.ts';

export type Cell = string | { readonly text: string; readonly format: 'red' | 'green' | 'yellow' | 'cyan' | 'dim' | 'bold' };

/** Code points; good enough for names, and a wide character costs only alignment. */
const width = (text: string): number => [...text].length;
const textOf = (cell: Cell): string => oneLine(typeof cell === 'string' ? cell : cell.text);

/** Left-aligned columns two spaces apart under a dim heading; no trailing spaces, ends without a newline. */
export function renderTable(headings: readonly string[], rows: readonly (readonly Cell[])[], style: Style): string {
  const widths = headings.map((heading, column) => Math.max(width(heading), ...rows.map((row) => width(textOf(row[column] ?? '')))));
  const line = (cells: readonly Cell[], format: (cell: Cell, text: string) => string): string => {
    const last = cells.length - 1;
    return cells.map((cell, column) => {
      const text = textOf(cell);
      return format(cell, text) + (column === last ? '' : ' '.repeat((widths[column] ?? 0) - width(text) + 2));
    }).join('').trimEnd();
  };
  return [
    line(headings.map((heading) => heading.toUpperCase()), (_cell, text) => style('dim', text)),
    ...rows.map((row) => line(row, (cell, text) => typeof cell === 'string' ? text : style(cell.format, text))),
  ].join('\n');
}

/** `label  value` lines, labels aligned. */
export function renderFacts(facts: readonly (readonly [label: string, value: Cell])[], style: Style): string {
  const column = Math.max(...facts.map(([label]) => width(label))) + 2;
  return facts.map(([label, value]) => {
    const text = textOf(value);
    return style('dim', label) + ' '.repeat(column - width(label)) + (typeof value === 'string' ? text : style(value.format, text));
  }).join('\n');
}
