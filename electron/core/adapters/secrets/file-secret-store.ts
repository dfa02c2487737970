import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import type { SecretLifetime, SecretStore } from '../../ports/secret-store.ts';
import { plainFormat, type SecretFormat, type Secrets } from './secret-format.ts';

/**
 * Secrets in memory, and in one file (0600) those that a person asked to keep. In the plain format the file is as private
 * as the account is; with a key that the system's keychain keeps it is sealed as well.
 */
export class FileSecretStore implements SecretStore {
  readonly #path: string;
  readonly #format: SecretFormat;
  readonly #session = new Map<string, string>();
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, format: SecretFormat = plainFormat) {
    this.#path = path;
    this.#format = format;
  }

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

  async #read(): Promise<Secrets> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
      throw error;
    }
    await chmod(this.#path, 0o600); // a copied home may have lost its mode
    const secrets = this.#format.decode(text);
    if (secrets === null) throw new VesselError('STORE_CORRUPT', `${this.#path} does not hold secrets`, { hint: 'Remove the file; Vessel asks again.', details: { path: this.#path } });
    return secrets;
  }

  /** One change after the other, each written whole under another name and renamed; nothing is written when nothing changes. */
  #change(change: (secrets: Secrets) => Secrets): Promise<void> {
    const work = this.#writing.then(async () => {
      const before = await this.#read();
      const after = change(before);
      if (JSON.stringify(before) === JSON.stringify(after)) return;
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      const temporary = `${this.#path}.${randomBytes(6).toString('hex')}`;
      try {
        const file = await open(temporary, 'wx', 0o600);
        try {
          await file.writeFile(this.#format.encode(after));
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
