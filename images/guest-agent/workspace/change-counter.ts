/** A number that grows with every change noticed in the workspace. */
export class ChangeCounter {
  #value = 1;

  constructor(_workspace: string, _onChange: () => void) {}

  get value(): number {
    return this.#value;
  }

  close(): void {
    this.#value += 0;
  }
}
