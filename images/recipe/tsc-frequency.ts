import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { VesselError } from '#shared/errors.ts';

/**
 * The whole program, position independent x86-64 Linux code without a library (source: docs/images.md, "The time stamp counter"):
 * twice, 200 ms apart, `clock_gettime(CLOCK_MONOTONIC)` and at once `rdtsc`, then the six numbers to standard output. JavaScript cannot
 * read the counter, the kernel publishes its frequency nowhere, and a build must not need a compiler.
 */
const PROGRAM = Buffer.from('SIPsQDHbSI0sJEG8EAAAALjkAAAAvwEAAABIjXUIDwUPMUjB4iBICdBIiUUAQf/Mdd5Ig8UY/8OD+wJ0GbgjAAAAaADC6wtqAEiJ5zH2DwVIg8QQ67S4AQAAAL8BAAAASInmujAAAAAPBbg8AAAAMf8PBQ==', 'base64');
const LOAD_ADDRESS = 0x400000n;
const ELF_HEADERS = 120;

/** A static ELF executable around {@link PROGRAM}: one header, one loadable segment. */
function executable(): Buffer {
  const header = Buffer.alloc(ELF_HEADERS);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(header);
  header.writeUInt16LE(2, 16); // an executable
  header.writeUInt16LE(62, 18); // for x86-64
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(LOAD_ADDRESS + BigInt(ELF_HEADERS), 24); // entry
  header.writeBigUInt64LE(64n, 32); // program headers
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  header.writeUInt32LE(1, 64); // load
  header.writeUInt32LE(5, 68); // read and execute
  header.writeBigUInt64LE(LOAD_ADDRESS, 80);
  header.writeBigUInt64LE(LOAD_ADDRESS, 88);
  header.writeBigUInt64LE(BigInt(ELF_HEADERS + PROGRAM.length), 96);
  header.writeBigUInt64LE(BigInt(ELF_HEADERS + PROGRAM.length), 104);
  header.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([header, PROGRAM]);
}

/** Odd, so that the median is one of them: a sample during which this process was taken off the processor is an outlier. */
const SAMPLES = 5;
/** 40 ppm at 2.5 GHz, well above the scatter of the median: the same host gives the same number. */
const ROUND_TO_KHZ = 100;

/**
 * Frequency of this host's time stamp counter in kHz; about a second. `scratchDir` must allow execution.
 *
 * An emulated guest sees the host's counter. It would measure it against the PIT, which fails on a busy host, and a microVM that has
 * no other timer then hangs in early boot: so it is told (`tsc_early_khz`). Throws HOST_UNSUPPORTED when the result is not plausible.
 */
export async function measureTscKhz(scratchDir: string): Promise<number> {
  const scratch = await mkdtemp(join(scratchDir, '.tsc-'));
  try {
    const program = join(scratch, 'tsc');
    await writeFile(program, executable(), { mode: 0o700 });
    const samples: number[] = [];
    for (let index = 0; index < SAMPLES; index += 1) {
      const { stdout } = await promisify(execFile)(program, [], { encoding: 'buffer', timeout: 10_000 });
      const ticks = stdout.readBigUInt64LE(24) - stdout.readBigUInt64LE(0);
      const nanoseconds = (stdout.readBigUInt64LE(32) - stdout.readBigUInt64LE(8)) * 1_000_000_000n + stdout.readBigUInt64LE(40) - stdout.readBigUInt64LE(16);
      samples.push(Number(ticks) * 1e6 / Number(nanoseconds));
    }
    const median = samples.toSorted((a, b) => a - b)[(SAMPLES - 1) / 2] ?? 0;
    if (median < 100_000 || median > 20_000_000) throw new VesselError('HOST_UNSUPPORTED', `The time stamp counter of this host runs at an implausible ${median} kHz`);
    return Math.round(median / ROUND_TO_KHZ) * ROUND_TO_KHZ;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
