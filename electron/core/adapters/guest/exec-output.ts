export type ExecPiece = { readonly stream: 'stdout' | 'stderr'; readonly data: Buffer };

/** Above it the connection to the guest is paused; a reader that is only slow still finds enough to work on. */
const PAUSE_AT_BYTES = 1024 * 1024;
const RESUME_AT_BYTES = 256 * 1024;
/** What an item costs beside its data: a guest that sends single bytes fills memory with objects. */
const ITEM_BYTES = 128;

/** The output of a command between the guest and its reader: bounded, because the guest waits while nobody reads. */
export class ExecOutput implements AsyncIterable<ExecPiece> {
  readonly #flow: { readonly pause: () => void; readonly resume: () => void };
  readonly #pieces: ExecPiece[] = [];
  #bytes = 0;
  #isPaused = false;
  #isClosed = false;
  #wake: () => void = () => undefined;

  constructor(flow: { readonly pause: () => void; readonly resume: () => void }) { this.#flow = flow; }

  push(piece: ExecPiece): void {
    if (this.#isClosed) return;
    this.#pieces.push(piece);
    this.#bytes += piece.data.length + ITEM_BYTES;
    if (!this.#isPaused && this.#bytes >= PAUSE_AT_BYTES) { this.#isPaused = true; this.#flow.pause(); }
    this.#wake();
  }

  /** The reader still gets what was pushed before. */
  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ExecPiece, void> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        this.#bytes -= piece.data.length + ITEM_BYTES;
        if (this.#isPaused && this.#bytes <= RESUME_AT_BYTES) { this.#isPaused = false; this.#flow.resume(); }
        yield piece;
        continue;
      }
      if (this.#isClosed) return;
      await new Promise<void>((resolve) => { this.#wake = resolve; });
    }
  }
}
