import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { VesselError } from '#shared/errors.ts';
import type { DeliveredImage } from '#shared/host-protocol.ts';
import { ImageJsonSchema } from '../images/recipe/index.ts';

/**
 * Unpacks a golden image that was sent to this host (a zstd-compressed tar of its folder) into `imagesDir/<key>`, all or nothing.
 * The content is hashed as it is read, once: whoever may write to `path` cannot change it in between. Throws ARCHIVE_CORRUPT, DISK_FULL.
 */
export async function receiveImage(image: DeliveredImage & { readonly path: string }, imagesDir: string, signal: AbortSignal, onProgress: (fraction: number) => void): Promise<void> {
  const target = join(imagesDir, image.key);
  await mkdir(imagesDir, { recursive: true, mode: 0o711 });
  const scratch = await mkdtemp(join(imagesDir, '.incoming-'));
  try {
    const { size } = await stat(image.path);
    const hash = createHash('sha256');
    let seen = 0;
    const watch = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        seen += chunk.length;
        onProgress(size === 0 ? 1 : seen / size);
        done(null, chunk);
      },
    });
    const folder = join(scratch, 'image');
    await mkdir(folder, { mode: 0o755 });
    const tar = spawn('tar', ['--extract', '--sparse', '--no-same-owner', '--directory', folder], { stdio: ['pipe', 'ignore', 'pipe'], signal });
    let said = '';
    tar.stderr.on('data', (data: Buffer) => { said += data.toString(); });
    const ended = new Promise<number | null>((resolve, reject) => { tar.once('error', reject); tar.once('close', resolve); });
    // tar may end at the archive's last mark, before the padding behind it is written: its exit code says whether it got what it wanted,
    // and the rest is read all the same, for the hash.
    tar.stdin.on('error', () => undefined);
    const intoTar = new Writable({
      write(chunk: Buffer, _encoding, done) {
        if (tar.stdin.destroyed) done();
        else tar.stdin.write(chunk, () => done());
      },
      destroy(error, done) { tar.stdin.end(); done(error); },
    });
    const [unpacked, code] = await Promise.allSettled([pipeline(createReadStream(image.path), watch, createZstdDecompress(), intoTar, { signal }), ended]);
    signal.throwIfAborted();
    if (/no space left/i.test(said)) throw new VesselError('DISK_FULL', `The golden image does not fit on this host: ${said.trim().split('\n').at(-1) ?? ''}`);
    if (unpacked.status === 'rejected' || code.status === 'rejected' || code.value !== 0) throw new VesselError('ARCHIVE_CORRUPT', `The golden image cannot be unpacked: ${said.trim() || String(unpacked.status === 'rejected' ? unpacked.reason : code)}`, { hint: 'Provision again: it is sent anew.' });
    const found = hash.digest('hex');
    if (found !== image.sha256) throw new VesselError('ARCHIVE_CORRUPT', 'The golden image did not arrive as it was sent', { hint: 'Provision again: it is sent anew.', details: { expected: image.sha256, found } });
    const { key } = ImageJsonSchema.parse(JSON.parse(await readFile(join(folder, 'image.json'), 'utf8')));
    if (key !== image.key) throw new VesselError('ARCHIVE_CORRUPT', `What was sent is image ${key}, not ${image.key}`);
    await rm(target, { recursive: true, force: true });
    await rename(folder, target);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
