import { execFile } from 'node:child_process';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { gunzip, zstdDecompress } from 'node:zlib';
import { VesselError } from '#shared/errors.ts';
import { exists } from '../../system/exists.ts';
import { LZ4_LEGACY_MAGIC, inflateLz4Legacy } from './lz4-legacy.ts';

/** Offsets of the Linux boot protocol, version 2.08 and later (Documentation/arch/x86/boot.rst). */
const HEADER = { setupSectors: 0x1f1, magic: 0x202, version: 0x206, payloadOffset: 0x248, payloadLength: 0x24c } as const;
const MAGIC = 'HdrS';
const LEAST_VERSION = 0x0208;
const SECTOR = 512;
const ELF = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);
const MAX_KERNEL_BYTES = 256 * 1024 * 1024;

const FORMATS: readonly { readonly name: string; readonly magic: Buffer; readonly unpack: (data: Buffer) => Promise<Buffer> }[] = [
  { name: 'gzip', magic: Buffer.from([0x1f, 0x8b]), unpack: (data) => promisify(gunzip)(data) },
  { name: 'zstd', magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), unpack: (data) => promisify(zstdDecompress)(data) },
  { name: 'xz', magic: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a]), unpack: (data) => filter('xz', ['--decompress', '--stdout'], data) },
  { name: 'lz4', magic: LZ4_LEGACY_MAGIC, unpack: (data) => Promise.resolve(inflateLz4Legacy(data)) },
];

function filter(program: string, args: readonly string[], data: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, [...args], { encoding: 'buffer', maxBuffer: MAX_KERNEL_BYTES }, (error, stdout) => (error === null ? resolve(stdout) : reject(error)));
    // It ends without reading all when the data is damaged: its exit code says so.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(data);
  });
}

/** The uncompressed kernel inside of a distribution's `vmlinuz`: Firecracker takes nothing else. Throws HOST_UNSUPPORTED. */
export async function extractVmlinux(vmlinuz: Buffer): Promise<Buffer> {
  if (vmlinuz.subarray(0, 4).equals(ELF)) return vmlinuz;
  if (vmlinuz.length < HEADER.payloadLength + 4 || vmlinuz.toString('latin1', HEADER.magic, HEADER.magic + 4) !== MAGIC || vmlinuz.readUInt16LE(HEADER.version) < LEAST_VERSION) {
    throw new VesselError('HOST_UNSUPPORTED', 'the kernel is not a Linux boot image');
  }
  // Zero stands for four, for history's sake.
  const start = ((vmlinuz[HEADER.setupSectors] || 4) + 1) * SECTOR + vmlinuz.readUInt32LE(HEADER.payloadOffset);
  const payload = vmlinuz.subarray(start, start + vmlinuz.readUInt32LE(HEADER.payloadLength));
  const format = FORMATS.find(({ magic }) => payload.subarray(0, magic.length).equals(magic));
  if (format === undefined) throw new VesselError('HOST_UNSUPPORTED', 'the kernel is compressed in a way that is not known here');
  // The four bytes behind the stream are its unpacked length, which the unpackers would take for rubbish.
  const kernel = await format.unpack(payload.subarray(0, -4));
  if (!kernel.subarray(0, 4).equals(ELF)) throw new VesselError('HOST_UNSUPPORTED', 'what the kernel image holds is no ELF file');
  return kernel;
}

/** The kernel of an image, extracted once. */
export async function ensureVmlinux(vmlinuz: string, target: string): Promise<void> {
  if (await exists(target)) return;
  await mkdir(dirname(target), { recursive: true, mode: 0o711 });
  const part = `${target}.${process.pid}.part`;
  await writeFile(part, await extractVmlinux(await readFile(vmlinuz)), { mode: 0o644 });
  await rename(part, target);
}
