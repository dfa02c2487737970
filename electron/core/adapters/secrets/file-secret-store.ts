import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import type { SecretLifetime, SecretStore } from '../../ports/secret-store.ts';

const FileSchema = z.object({ v: z.literal(1), secrets: z.record(z.string(), z.string()) });

/**
 * Secrets in memory, and in one file (0600) those that a person asked to keep. The file is as private as the account is:
 * it is not encrypted. A shell with a keychain of the system can bring a better store of the same port.
 */
export class FileSecretStore implements SecretStore {
  readonly #path: string;
  readonly #session = new Map<string, string>();
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string) { this.#path = path; }

  async get(name: string): Promise<string | null> {
    return this.#session.get(name) ?? (await this.#read())[name] ?? null;
  }

  async put(name: string, value: string, lifetime: SecretLifetime): Promise<void> {
    this.#session.set(name, value);
    if (lifetime === 'forever') await this.#change((secrets) => ({ ...secrets, [name]: value }));
  }

  async remove(name: string): Promise<void> {
    this.#session.delete(name);
    await this.#change((secrets) => Object.fromEntries(Object.entries(secrets).filter(([key]) => key !== name)));
  }

  async #read(): Promise<Readonly<Record<string, string>>> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
      throw error;
    }
    await chmod(this.#path, 0o600); // a copied home may have lost its mode
    const parsed = FileSchema.safeParse(parseJson(text));
    if (!parsed.success) throw new VesselError('STORE_CORRUPT', `${this.#path} does not hold secrets`, { hint: 'Remove the file; Vessel asks again.', details: { path: this.#path } });
    return parsed.data.secrets;
  }

  /** One change after the other, each written whole under another name and renamed; nothing is written when nothing changes. */
  #change(change: (secrets: Readonly<Record<string, string>>) => Readonly<Record<string, string>>): Promise<void> {
    const work = this.#writing.then(async () => {
      const before = await this.#read();
      const after = change(before);
      if (JSON.stringify(before) === JSON.stringify(after)) return;
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      const temporary = `${this.#path}.${randomBytes(6).toString('hex')}`;
      try {
        const file = await open(temporary, 'wx', 0o600);
        try {
          await file.writeFile(JSON.stringify({ v: 1, secrets: after }));
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(temporary, this.#path);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    });
    // The next change waits for this one; its failure is its own caller's.
    this.#writing = work.catch(() => undefined);
    return work;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // the schema refuses it
  }
}
