import { createHash } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, readlink, symlink, utimes, writeFile, chmod, lutimes } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { openPromise, type Entry } from './zip.ts';

/** What must survive a round trip of one path; `mtimeSeconds` only for files and folders (links are dated by the day they are made). */
export type Fingerprint = {
  readonly kind: 'file' | 'dir' | 'link';
  readonly mode: number;
  readonly bytes: number;
  /** SHA-256 of the content, or the target of a link. */
  readonly content: string;
  readonly mtimeSeconds: number;
};

const FILES = 6_000;
const BYTES = 60_000_000;
const LARGE_FILE = 12_000_000;

/**
 * A project tree of 6,000 files and 60 MB: half text, half noise, one large file, links, executables, empty folders and names
 * that break careless code. The bytes come from a counter-mode hash, so every run has the same tree.
 */
export async function makeTree(root: string): Promise<void> {
  await mkdir(root, { recursive: true });
  const noise = noiseSource();
  const average = Math.floor((BYTES - LARGE_FILE) / FILES);
  for (let index = 0; index < FILES - 12; index += 1) {
    const folder = join(root, 'src', `module-${index % 40}`, `part-${index % 7}`);
    if (index < 280) await mkdir(folder, { recursive: true });
    const bytes = Math.floor(average * (0.2 + 1.6 * ((index * 7919) % 1000) / 1000));
    const content = index % 2 === 0 ? text(bytes, index) : noise(bytes);
    await writeFile(join(folder, `file-${index}.${index % 2 === 0 ? 'ts' : 'bin'}`), content);
  }
  await writeFile(join(root, 'large.bin'), noise(LARGE_FILE));
  await mkdir(join(root, 'odd'), { recursive: true });
  const odd = ['Grüße aus Köln.txt', '日本語.md', '🚀 launch', ' leading and trailing ', 'quote"\'s', 'semi;colon & $(dollar)', 'back\\slash', 'line\nbreak', '-rf', '.hidden', 'é-combining'];
  for (const name of odd) await writeFile(join(root, 'odd', name), `content of ${name}\n`);
  await writeFile(join(root, 'empty-file'), '');
  await writeFile(join(root, 'run.sh'), '#!/bin/sh\necho hello\n');
  await chmod(join(root, 'run.sh'), 0o755);
  await writeFile(join(root, 'read-only.txt'), 'look, do not touch\n');
  await chmod(join(root, 'read-only.txt'), 0o444);
  await mkdir(join(root, 'empty', 'nested', 'folder'), { recursive: true });
  // A folder merely called build or dist is work, not output.
  await mkdir(join(root, 'build'));
  await writeFile(join(root, 'build', 'kept.txt'), 'kept\n');
  await symlink('../run.sh', join(root, 'odd', 'link-to-run'));
  await symlink('src/module-1', join(root, 'link-to-folder'));
  await symlink('nowhere', join(root, 'dangling'));
  await utimes(join(root, 'run.sh'), 1_000_000_000, 1_000_000_000);
  await lutimes(join(root, 'dangling'), 1_000_000_000, 1_000_000_000);
}

function noiseSource(): (bytes: number) => Buffer {
  let counter = 0;
  return (bytes) => {
    const blocks: Buffer[] = [];
    for (let size = 0; size < bytes; size += 32) {
      counter += 1;
      blocks.push(createHash('sha256').update(String(counter)).digest());
    }
    return Buffer.concat(blocks).subarray(0, bytes);
  };
}

function text(bytes: number, seed: number): string {
  const line = `export const value${seed} = compute(${seed}); // a line like many others in a real project\n`;
  return line.repeat(Math.ceil(bytes / line.length)).slice(0, bytes);
}

/** Every path below `root` (relative, `/`-separated) with what must survive. */
export async function fingerprintTree(root: string): Promise<ReadonlyMap<string, Fingerprint>> {
  const found = new Map<string, Fingerprint>();
  const visit = async (relative: string): Promise<void> => {
    for (const name of await readdir(join(root, relative))) {
      const path = relative === '' ? name : `${relative}/${name}`;
      const stat = await lstat(join(root, path));
      const mtimeSeconds = Math.floor(stat.mtimeMs / 1000);
      if (stat.isSymbolicLink()) found.set(path, { kind: 'link', mode: 0o777, bytes: 0, content: await readlink(join(root, path)), mtimeSeconds: 0 });
      else if (stat.isDirectory()) {
        found.set(path, { kind: 'dir', mode: stat.mode & 0o777, bytes: 0, content: '', mtimeSeconds });
        await visit(path);
      } else found.set(path, { kind: 'file', mode: stat.mode & 0o777, bytes: stat.size, content: sha256(await readFile(join(root, path))), mtimeSeconds });
    }
  };
  await visit('');
  return found;
}

const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

/** The same of a zip archive. */
export async function fingerprintZip(file: string): Promise<ReadonlyMap<string, Fingerprint>> {
  const found = new Map<string, Fingerprint>();
  await openPromise(file, async (entry: Entry) => {
    const unixMode = entry.externalFileAttributes >>> 16;
    const type = unixMode & 0o170000;
    const mtimeSeconds = Math.floor(entry.mtimeMs / 1000);
    const content = await buffer(await entry.read());
    if (type === 0o120000) found.set(entry.name, { kind: 'link', mode: 0o777, bytes: 0, content: content.toString(), mtimeSeconds: 0 });
    else if (entry.name.endsWith('/')) found.set(entry.name.slice(0, -1), { kind: 'dir', mode: unixMode & 0o777, bytes: 0, content: '', mtimeSeconds });
    else found.set(entry.name, { kind: 'file', mode: unixMode & 0o777, bytes: content.length, content: sha256(content), mtimeSeconds });
  });
  return found;
}
