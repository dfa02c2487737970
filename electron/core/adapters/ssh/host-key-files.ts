import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import type { HostKey } from './host-key.ts';
import { keysFor, type KnownKey } from './known-hosts.ts';

/** Host keys that a person confirmed in Vessel. The files of OpenSSH are read and never written. */
export class HostKeyFiles {
  /** In known_hosts format, so that `ssh-keygen -R name -f` works on it. */
  readonly ownFile: string;
  #writing: Promise<void> = Promise.resolve();

  constructor(home: string) { this.ownFile = join(home, 'ssh', 'known_hosts'); }

  /**
   * Everything on file about `name`: Vessel's own file first, then `others` in their order. Of those, absent and unreadable
   * ones hold nothing, as for ssh(1). Throws HOST_PERMISSION when Vessel's own cannot be read.
   */
  async lookup(name: string, others: readonly string[]): Promise<readonly KnownKey[]> {
    const files = [this.ownFile, ...others];
    const texts = await Promise.all([readIfThere(this.ownFile).catch(unusable(this.ownFile)), ...others.map(readIfReadable)]);
    return files.flatMap((file, index) => keysFor(name, file, texts[index] ?? ''));
  }

  /** Puts a confirmed key on file: written whole under another name, made durable, renamed. Throws HOST_PERMISSION, DISK_FULL. */
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

  #rewrite(change: (lines: readonly string[]) => readonly string[]): Promise<void> {
    return this.#write(change).catch(unusable(this.ownFile));
  }

  async #write(change: (lines: readonly string[]) => readonly string[]): Promise<void> {
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

/** Files of OpenSSH may be a folder, or not ours to read: then they say nothing, and an unknown key is asked about. */
async function readIfReadable(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return '';
  }
}

/** Vessel's own file says what a person confirmed: it is never passed over. */
const unusable = (path: string) => (error: unknown): never => {
  const known = VesselError.from(error);
  if (known.code !== 'INTERNAL') throw known;
  throw new VesselError('HOST_PERMISSION', `The file of confirmed host keys, ${path}, cannot be used: ${known.message}`, { cause: error, hint: 'Make it a file that you can read and write; Vessel makes a new one when it is absent.', details: { file: path } });
};

/** How a list of revoked keys in OpenSSH's binary format begins (PROTOCOL.krl). */
const BINARY_LIST = 'SSHKRL\n';

/**
 * The keys of a `RevokedHostKeys` file, one public key a line. As ssh(1), no host is trusted when it cannot be read.
 * Throws SSH_CONFIG_INVALID.
 */
export async function revokedKeys(file: string | null): Promise<readonly KnownKey[]> {
  if (file === null) return [];
  const text = await readFile(file, 'utf8').catch((error: unknown) => { throw new VesselError('SSH_CONFIG_INVALID', `RevokedHostKeys ${file} cannot be read: ${String(error)}`, { cause: error, details: { file } }); });
  if (text.startsWith(BINARY_LIST)) throw new VesselError('SSH_CONFIG_INVALID', `RevokedHostKeys ${file} is a binary list, which Vessel cannot read`, { hint: 'Name a file with one public key a line instead.', details: { file } });
  return text.split('\n').flatMap((line, index) => {
    const [type = '', base64] = line.trim().split(/\s+/);
    return base64 === undefined || type.startsWith('#') ? [] : [{ file, line: index + 1, marker: 'revoked' as const, type, blob: Buffer.from(base64, 'base64') }];
  });
}
