import { mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { readFileOrNull } from '../system/atomic-file.ts';

/** One change to this computer. Written *before* the change, so that a crash never leaves something nobody remembers. */
export const JournalEntrySchema = z.object({
  seq: z.number().int(),
  at: z.number(),
  /** The step that made it, and that knows how to undo it. */
  step: z.string(),
  /** What was made: a package, an account, a folder, a table. */
  item: z.string(),
});
export type JournalEntry = z.infer<typeof JournalEntrySchema>;
const LineSchema = z.union([JournalEntrySchema, z.object({ undone: z.number().int() })]);

/**
 * What provisioning changed on this computer, one JSON line each, only ever appended: undoing appends too. A last line that a power
 * cut tore is ignored: its change had not begun.
 */
export class Journal {
  readonly #path: string;
  constructor(path: string) {
    this.#path = path;
  }

  /** Changes that still stand, oldest first. */
  async standing(): Promise<readonly JournalEntry[]> {
    const entries = new Map<number, JournalEntry>();
    for (const line of await this.#lines()) {
      if ('undone' in line) entries.delete(line.undone);
      else entries.set(line.seq, line);
    }
    return [...entries.values()];
  }

  async record(step: string, item: string): Promise<JournalEntry> {
    const lines = await this.#lines();
    const seq = 1 + Math.max(0, ...lines.map((line) => 'seq' in line ? line.seq : 0));
    const entry = { seq, at: Date.now(), step, item };
    await this.#append(entry);
    return entry;
  }

  async markUndone(entry: JournalEntry): Promise<void> {
    await this.#append({ undone: entry.seq });
  }

  /** Removes the file once nothing stands any more. */
  async removeIfEmpty(): Promise<void> {
    if ((await this.standing()).length === 0) await rm(this.#path, { force: true });
  }

  async #lines(): Promise<readonly z.infer<typeof LineSchema>[]> {
    const text = await readFileOrNull(this.#path) ?? '';
    return text.split('\n').flatMap((line) => {
      try {
        const parsed = LineSchema.safeParse(JSON.parse(line));
        return parsed.success ? [parsed.data] : [];
      } catch (error) {
        if (error instanceof SyntaxError) return [];
        throw error;
      }
    });
  }

  async #append(line: z.infer<typeof LineSchema>): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o711 });
    const file = await open(this.#path, 'a', 0o600);
    try {
      // A torn line before this one must not swallow it.
      await file.writeFile(`\n${JSON.stringify(line)}\n`);
      await file.datasync();
    } finally {
      await file.close();
    }
  }
}
