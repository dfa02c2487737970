import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { HostKey } from './host-key.ts';
import { keysFor, type KnownKey } from './known-hosts.ts';

/** Host keys that a person confirmed in Vessel. The files of OpenSSH are read and never written. */
export class HostKeyFiles {
  /** In known_hosts format, so that `ssh-keygen -R name -f` works on it. */
  readonly ownFile: string;
  #writing: Promise<void> = Promise.resolve();

  constructor(home: string) { this.ownFile = join(home, 'ssh', 'known_hosts'); }

  /** Everything on file about `name`: Vessel's own file first, then `others` in their order. Absent files hold nothing. */
  async lookup(name: string, others: readonly string[]): Promise<readonly KnownKey[]> {
    const files = [this.ownFile, ...others];
    const texts = await Promise.all(files.map(readIfThere));
    return files.flatMap((file, index) => keysFor(name, file, texts[index] ?? ''));
  }

  /** Puts a confirmed key on file: written whole under another name, made durable, renamed. */
  accept(name: string, key: HostKey): Promise<void> {
    const written = this.#writing.then(() => this.#rewrite((lines) => [...lines, `${name} ${key.type} ${key.blob.toString('base64')}`]));
    // The next writer waits for this one, however it ended; its failure is its own caller's.
    this.#writing = written.catch(() => undefined);
    return written;
  }

  /** Takes the keys of a host that is removed from Vessel off its own file. */
  forget(name: string): Promise<void> {
    const written = this.#writing.then(() => this.#rewrite((lines) => lines.filter((line) => line.split(' ')[0] !== name)));
    this.#writing = written.catch(() => undefined);
    return written;
  }

  async #rewrite(change: (lines: readonly string[]) => readonly string[]): Promise<void> {
    const before = (await readIfThere(this.ownFile)).split('\n').filter((line) => line !== '');
    const after = change(before);
    if (after.length === before.length && after.every((line, index) => line === before[index])) return;
    await mkdir(dirname(this.ownFile), { recursive: true, mode: 0o700 });
    const temporary = `${this.ownFile}.${randomBytes(6).toString('hex')}`;
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(after.map((line) => `${line}\n`).join(''));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, this.ownFile);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}
