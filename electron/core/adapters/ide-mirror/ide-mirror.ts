import { createHash } from 'node:crypto';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';
import { pipeline } from 'node:stream/promises';
import { VesselError } from '#shared/errors.ts';
import type { HostImage, IdeMirror } from '../../ports/ide-mirror.ts';
import type { RemoteHost } from '../../ports/remote-host.ts';
import { isErrno } from '../cold-local/files.ts';
import { filledFolder, parseManifest, type Manifest } from '../gateway/ide-static/manifest.ts';
import { writeWhole } from '../gateway/ide-static/write-whole.ts';

/** All missing files in one stream, in the order of their names on stdin; compressed, because scripts shrink to a quarter. */
const SEND = 'cd "$1" && xargs -0 cat -- | gzip -1';

type Wanted = { readonly key: string; readonly sha256: string; readonly bytes: number };

/**
 * Keeps the manifests of hosts' images in `<cache>/ide/hosts/<host>/<image>` and their files, by content, where the gateway looks for them. Nothing is unpacked:
 * a file is so many bytes of a stream, and is kept only when its hash is the manifest's. An image that this computer has as well is used from there.
 */
export function makeIdeMirror({ cache, log }: { readonly cache: string; readonly log: (line: string) => void }): IdeMirror {
  const directories = new Map<string, string | null>();
  const underWay = new Map<string, Promise<void>>();
  const folderOf = (hostId: string, key: string): string => join(cache, 'ide', 'hosts', hostId, key);
  const nameOf = (hostId: string, { key }: HostImage): string => `${hostId}/${key}`;

  const fetchImage = async (host: RemoteHost, image: HostImage, source: string): Promise<void> => {
    const manifestText = await readRemote(host, join(source, 'manifest.json'));
    if (manifestText === null) throw new VesselError('NOT_FOUND', `${source}/manifest.json is not on the host`);
    const here = join(cache, 'images', image.key, 'ide-static');
    if (await isSame(join(here, 'manifest.json'), manifestText)) {
      directories.set(nameOf(host.hostId, image), here);
      return;
    }
    const manifest = parseManifest(manifestText);
    const folder = folderOf(host.hostId, image.key);
    const page = await readRemote(host, join(source, 'workbench-page.json'));
    if (page !== null) await writeWhole(join(folder, 'workbench-page.json'), Buffer.from(page));
    await writeWhole(join(folder, 'manifest.json'), Buffer.from(manifestText));
    directories.set(nameOf(host.hostId, image), folder);
    const missing = await missingFiles(manifest, filledFolder(cache, manifest));
    if (missing.length > 0) {
      log(`${host.hostId}: fetching ${missing.length} files of its IDE`);
      await fetchFiles(host, source, missing, filledFolder(cache, manifest));
    }
    await removeOthers(join(cache, 'ide', 'hosts', host.hostId), image.key);
  };

  return {
    directoryOf(hostId, image) {
      const name = nameOf(hostId, image);
      const known = directories.get(name);
      if (known !== undefined) return known;
      const folder = folderOf(hostId, image.key);
      const directory = existsSync(join(folder, 'manifest.json')) ? folder : null; // of an earlier run; looked for once
      directories.set(name, directory);
      return directory;
    },
    fetch(host, image) {
      const { ideStaticDir } = image;
      if (ideStaticDir === null) return Promise.resolve();
      const name = nameOf(host.hostId, image);
      const work = underWay.get(name) ?? fetchImage(host, image, ideStaticDir).catch((error: unknown) => {
        underWay.delete(name); // tried again at the next look at the host
        throw error;
      });
      underWay.set(name, work);
      return work;
    },
  };
}

/** Null when there is no such file. */
async function readRemote(host: RemoteHost, path: string): Promise<string | null> {
  const process = await host.exec(['cat', '--', path]);
  process.stdin.end();
  process.stderr.resume();
  const content = await text(process.stdout);
  return (await process.exit).code === 0 ? content : null;
}

async function isSame(path: string, content: string): Promise<boolean> {
  try {
    return await readFile(path, 'utf8') === content;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** One of each content. */
async function missingFiles({ files }: Manifest, folder: string): Promise<readonly Wanted[]> {
  const wanted = new Map<string, Wanted>();
  for (const [key, { sha256, bytes }] of Object.entries(files)) if (!wanted.has(sha256)) wanted.set(sha256, { key, sha256, bytes });
  const all = [...wanted.values()];
  const sizeOf = (sha256: string): Promise<number | null> => stat(join(folder, sha256)).then(({ size }) => size, (error: unknown) => {
    if (isErrno(error, 'ENOENT')) return null;
    throw error;
  });
  const present = await Promise.all(all.map(async ({ sha256, bytes }) => await sizeOf(sha256) === bytes));
  return all.filter((_file, index) => present[index] !== true);
}

async function fetchFiles(host: RemoteHost, source: string, files: readonly Wanted[], folder: string): Promise<void> {
  const process = await host.exec(['sh', '-c', SEND, 'sh', source]);
  const said = text(process.stderr);
  const names = pipeline(Readable.from(files.map(({ key }) => `./${key}\0`)), process.stdin).catch(() => undefined); // the end of the command says why
  const content = createGunzip();
  const arrived = pipeline(process.stdout, content);
  arrived.catch(() => undefined); // whoever reads `content` hears of it
  try {
    const stream = content[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    let rest: Buffer = Buffer.alloc(0);
    for (const file of files) {
      const parts = [rest];
      let got = rest.length;
      while (got < file.bytes) {
        const next = await stream.next();
        if (next.done === true) throw new VesselError('ARCHIVE_CORRUPT', `The host ended before ${file.key}: ${(await said).trim()}`);
        parts.push(next.value);
        got += next.value.length;
      }
      const all = Buffer.concat(parts);
      const body = all.subarray(0, file.bytes);
      rest = all.subarray(file.bytes);
      if (createHash('sha256').update(body).digest('hex') !== file.sha256) throw new VesselError('ARCHIVE_CORRUPT', `The host gave other content for ${file.key} than its manifest promises`);
      await writeWhole(join(folder, file.sha256), body);
    }
    await names;
    await process.exit;
  } finally {
    process.close();
    content.destroy();
  }
}

/** The manifests of images that the host no longer has. */
async function removeOthers(folder: string, key: string): Promise<void> {
  for (const name of await readdir(folder)) if (name !== key) await rm(join(folder, name), { recursive: true, force: true });
}

