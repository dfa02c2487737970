import { execFileSync } from 'node:child_process';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { LZ4_LEGACY_MAGIC, inflateLz4Legacy } from './lz4-legacy.ts';
import { extractVmlinux } from './vmlinux.ts';

const kernel = Buffer.concat([Buffer.from('\x7fELF', 'latin1'), Buffer.alloc(5_000, 'kernel ')]);

/** A boot image as the kernel's build makes it: real-mode sectors, a stub, the packed kernel and its length. */
function bootImage(packed: Buffer): Buffer {
  const [sectors, stub] = [3, 96];
  const image = Buffer.alloc((sectors + 1) * 512 + stub + packed.length + 4);
  image[0x1f1] = sectors;
  image.write('HdrS', 0x202);
  image.writeUInt16LE(0x020f, 0x206);
  image.writeUInt32LE(stub, 0x248);
  image.writeUInt32LE(packed.length + 4, 0x24c);
  packed.copy(image, (sectors + 1) * 512 + stub);
  image.writeUInt32LE(kernel.length, image.length - 4);
  return image;
}

describe('the kernel inside of a boot image', () => {
  it('is refused when there is none', async () => {
    await expect(extractVmlinux(Buffer.alloc(4096))).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED' });
    await expect(extractVmlinux(bootImage(Buffer.from('packed otherwise')))).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED' });
    await expect(extractVmlinux(bootImage(gzipSync(Buffer.from('no kernel'))))).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED' });
  });
  it.each([['gzip', gzipSync(kernel)], ['zstd', zstdCompressSync(kernel)], ['xz', execFileSync('xz', ['--check=crc32', '--stdout'], { input: kernel })]])('is found when packed with %s', async (_name, packed) => {
    expect((await extractVmlinux(bootImage(packed))).equals(kernel)).toBe(true);
  });
  it('is taken as it is when nothing packs it', async () => expect((await extractVmlinux(kernel)).equals(kernel)).toBe(true));
});

describe('LZ4 as the kernel is packed', () => {
  const stream = (...bytes: number[]): Buffer => { const length = Buffer.alloc(4); length.writeUInt32LE(bytes.length); return Buffer.concat([LZ4_LEGACY_MAGIC, length, Buffer.from(bytes)]); };
  it('is refused when a copy reaches before the beginning', () => expect(() => inflateLz4Legacy(stream(0x10, 97, 2, 0))).toThrow(RangeError));
  it('is literals and copies, which may overlap what they write', () => {
    // "ab", then eight bytes from two back, then the last literals "z".
    expect(inflateLz4Legacy(stream(0x24, 97, 98, 2, 0, 0x10, 122)).toString()).toBe('ababababab' + 'z');
    // A run longer than fifteen counts on in further bytes.
    expect(inflateLz4Legacy(stream(0x1f, 97, 1, 0, 255, 1, 0x10, 122)).toString()).toBe(`${'a'.repeat(1 + 15 + 256 + 4)}z`);
  });
});
