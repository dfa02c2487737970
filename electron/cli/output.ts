import type { ErrorShape } from '#shared/errors.ts';
import type { Runtime } from './runtime.ts';
import { makeStyle, printable, type Style } from './style.ts';

/**
 * What a command prints. With `--json`, stdout carries exactly one object on one line: the result, or `{"error":…}`.
 * Otherwise results are text on stdout and everything else (progress, notes, errors) is text on stderr.
 */
export class Output {
  readonly json: boolean;
  /** For stdout. */
  readonly style: Style;
  readonly errorStyle: Style;
  readonly #runtime: Runtime;
  #answered = false;

  constructor(runtime: Runtime, json: boolean) {
    this.#runtime = runtime;
    this.json = json;
    this.style = makeStyle(runtime.stdout, runtime.env);
    this.errorStyle = makeStyle(runtime.stderr, runtime.env);
  }

  /** The answer, once a command. `text` is only asked for when people read. */
  result(value: object, text: () => string): void {
    if (this.#answered) throw new Error('a command answers once');
    this.#answered = true;
    const line = this.json ? JSON.stringify(value) : text();
    if (line !== '') this.#runtime.stdout.write(`${line}\n`);
  }

  /** A text of a file as the whole answer: byte for byte into a file or a pipe, with its control characters shown on a terminal. */
  foreign(text: string): string { return this.#runtime.stdout.isTTY === true ? printable(text) : text; }

  /** A remark beside the answer; silent with `--json`. */
  note(text: string): void {
    if (!this.json) this.#runtime.stderr.write(`${text}\n`);
  }

  failure(error: ErrorShape): void {
    // Once a result is out (a stream broke behind it), a second object would make stdout unreadable for a program.
    if (this.json && !this.#answered) {
      this.#answered = true;
      this.#runtime.stdout.write(`${JSON.stringify({ error })}\n`);
      return;
    }
    const { errorStyle: style } = this;
    const lines = [`${style('red', 'error')} ${printable(error.message)} ${style('dim', `(${error.code})`)}`];
    for (const line of error.logTail) lines.push(style('dim', `  | ${printable(line)}`));
    if (error.hint !== '') lines.push(`  ${style('cyan', 'fix')}  ${printable(error.hint)}`);
    this.#runtime.stderr.write(`${lines.join('\n')}\n`);
  }
}
