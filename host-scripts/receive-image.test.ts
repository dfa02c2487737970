import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { receiveImage } from './receive-image.ts';

const KEY = '0123456789abcdef0123456789abcdef';
const signal = new AbortController().signal;

describe('a golden image that was sent', () => {
  let folder = '';
  const images = (): string => join(folder, 'images');
  /** A small image as it travels. */
  function sent(key = KEY, change: (content: Buffer) => Buffer = (content) => content, padding = 0): Parameters<typeof receiveImage>[0] {
    const dir = join(folder, 'source');
    mkdirSync(join(dir, 'ide-static'), { recursive: true });
    writeFileSync(join(dir, 'root.img'), 'root');
    writeFileSync(join(dir, 'ide-static', 'a.js'), 'a');
    writeFileSync(join(dir, 'image.json'), JSON.stringify({ format: 1, key, buildId: 'b', builtAt: 1, distribution: { id: 'debian', suite: 'bookworm' }, kernelVersion: '6', node: '24', ide: { name: 'code-server', version: '4', commit: null }, tokenVia: 'fw_cfg', commandLine: '', bytes: 1 }));
    const content = zstdCompressSync(Buffer.concat([execFileSync('tar', ['-c', '-C', dir, '.']), Buffer.alloc(padding)]));
    const path = join(folder, 'image.tar.zst');
    writeFileSync(path, change(content));
    return { key: KEY, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex'), path };
  }
  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vreceive-')); });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const refused = async (image: Parameters<typeof receiveImage>[0]): Promise<void> => {
    await expect(receiveImage(image, images(), signal, () => undefined)).rejects.toMatchObject({ code: 'ARCHIVE_CORRUPT' });
    expect(readdirSync(images())).toEqual([]);
  };

  it('is refused whole when it is cut, changed, or another image than was said', async () => {
    await refused(sent(KEY, (content) => content.subarray(0, content.length - 20)));
    await refused({ ...sent(), sha256: 'f'.repeat(64) });
    await refused(sent('f'.repeat(32)));
  });

  it('lies in its folder afterwards, also where half of one lay before', async () => {
    mkdirSync(join(images(), KEY), { recursive: true });
    writeFileSync(join(images(), KEY, 'half'), '');
    const seen: number[] = [];
    await receiveImage(sent(), images(), signal, (fraction) => seen.push(fraction));
    expect(readFileSync(join(images(), KEY, 'root.img'), 'utf8')).toBe('root');
    expect([existsSync(join(images(), KEY, 'half')), readdirSync(images()), seen.at(-1)]).toEqual([false, [KEY], 1]);
  });

  it('is taken whole though tar ends before the padding behind the archive\'s end', async () => {
    for (let round = 0; round < 5; round += 1) await receiveImage(sent(KEY, (content) => content, 16 * 1024 * 1024), images(), signal, () => undefined);
    expect(readdirSync(images())).toEqual([KEY]);
  });
});
