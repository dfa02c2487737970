import type { LogLine, Operation, Step } from '#shared/operation.ts';
import { formatDuration } from './format.ts';
import { renderProgressLine, SPINNER } from './progress-line.ts';
import type { Runtime } from './runtime.ts';
import { oneLine, type Style } from './style.ts';

/** How one operation is shown while it runs. All of it goes to stderr. */
export type ProgressView = {
  operation(operation: Operation): void;
  log(line: LogLine): void;
  /** Leaves the terminal as a following line expects it. */
  end(): void;
};

const FRAME_MS = 80;
/** A step that takes longer is announced before it ends, so that a plain log does not look stuck. */
const ANNOUNCE_MS = 2_000;

export const silentProgress: ProgressView = { operation: () => undefined, log: () => undefined, end: () => undefined };

/** Only what a person needs to see unasked: warnings and errors, or everything with `--verbose`. */
const wanted = (line: LogLine, verbose: boolean): boolean => verbose || line.level === 'warn' || line.level === 'error';

export function logText(line: LogLine, style: Style): string {
  const text = `  ${oneLine(line.text)}`;
  switch (line.level) {
    case 'error': return style('red', text);
    case 'warn': return style('yellow', text);
    case 'info': return text;
    case 'debug': return style('dim', text);
  }
}

/** The line that stays when a step has ended; null while it has not, or when it was skipped silently. */
function endedText(step: Step, style: Style): string | null {
  const took = step.startedAt !== null && step.endedAt !== null ? ` ${style('dim', formatDuration(step.endedAt - step.startedAt))}` : '';
  const title = oneLine(step.title);
  switch (step.state) {
    case 'done': return `${style('green', 'ok')}    ${title}${took}`;
    case 'failed': return `${style('red', 'fail')}  ${title}${took}`;
    case 'cancelled': return `${style('yellow', 'stop')}  ${title}${took}`;
    case 'skipped': return `${style('dim', `skip  ${title}${step.detail === '' ? '' : `: ${oneLine(step.detail)}`}`)}`;
    case 'pending': case 'running': return null;
  }
}

/** Step lines for logs, pipes and dumb terminals. */
export function plainProgress(runtime: Runtime, style: Style, verbose: boolean): ProgressView {
  const written = new Set<string>();
  const announcements = new Map<string, NodeJS.Timeout>();
  const write = (text: string): void => { runtime.stderr.write(`${text}\n`); };
  return {
    operation: (operation) => {
      for (const step of operation.steps) {
        if (step.state === 'running' && !announcements.has(step.id)) {
          announcements.set(step.id, setTimeout(() => write(`...   ${oneLine(step.title)}`), ANNOUNCE_MS).unref());
        }
        const text = endedText(step, style);
        if (text === null || written.has(step.id)) continue;
        written.add(step.id);
        clearTimeout(announcements.get(step.id));
        write(text);
      }
    },
    log: (line) => { if (wanted(line, verbose)) write(logText(line, style)); },
    end: () => { for (const timer of announcements.values()) clearTimeout(timer); },
  };
}

/** One living line at the bottom of the terminal; ended steps and warnings scroll above it. */
export function terminalProgress(runtime: Runtime, style: Style, verbose: boolean): ProgressView {
  const written = new Set<string>();
  let current: Operation | null = null;
  let frame = 0;
  const above = (text: string): void => { runtime.stderr.write(`\r\u001b[K${text}\n`); };
  const draw = (): void => {
    if (current === null) return;
    const line = renderProgressLine(current, SPINNER[frame % SPINNER.length] ?? '', runtime.now(), runtime.stderr.columns ?? 80, style);
    runtime.stderr.write(`\r\u001b[K${line}`);
  };
  const timer = setInterval(() => { frame += 1; draw(); }, FRAME_MS).unref();
  return {
    operation: (operation) => {
      for (const step of operation.steps) {
        const text = endedText(step, style);
        if (text === null || written.has(step.id)) continue;
        written.add(step.id);
        above(text);
      }
      current = operation;
      draw();
    },
    log: (line) => {
      if (!wanted(line, verbose)) return;
      above(logText(line, style));
      draw();
    },
    end: () => {
      clearInterval(timer);
      current = null;
      runtime.stderr.write('\r\u001b[K');
    },
  };
}

/** The view that fits: a bar on a terminal, lines elsewhere; with `--json` nothing but the bar a person would look at. */
export function progressFor(runtime: Runtime, options: { readonly json: boolean; readonly verbose: boolean; readonly style: Style }): ProgressView {
  if (runtime.stderr.isTTY === true && runtime.env['TERM'] !== 'dumb') return terminalProgress(runtime, options.style, options.verbose);
  return options.json ? silentProgress : plainProgress(runtime, options.style, options.verbose);
}
