/**
 * What is pushed here is read there, in order. A key replaces the unread item of the same key, so that a slow reader of
 * snapshots never makes the queue grow. Ends when closed or when the signal aborts; nothing is kept after that.
 */
export class Mailbox<T> implements AsyncIterable<T> {
  readonly #items: { readonly key: string | null; value: T }[] = [];
  readonly #byKey = new Map<string, { readonly key: string | null; value: T }>();
  #wake: (() => void) | null = null;
  #closed = false;

  constructor(signal: AbortSignal | null) {
    if (signal === null) return;
    if (signal.aborted) this.close();
    else signal.addEventListener('abort', () => this.close(), { once: true });
  }

  push(value: T, key: string | null = null): void {
    if (this.#closed) return;
    const waiting = key === null ? undefined : this.#byKey.get(key);
    if (waiting !== undefined) { waiting.value = value; return; }
    const item = { key, value };
    this.#items.push(item);
    if (key !== null) this.#byKey.set(key, item);
    this.#wake?.();
  }

  /** The reader still gets what was pushed before. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) {
        if (item.key !== null) this.#byKey.delete(item.key);
        yield item.value;
        continue;
      }
      if (this.#closed) return;
      await new Promise<void>((resolve) => { this.#wake = resolve; });
      this.#wake = null;
    }
  }
}
