/** The frame that the kernel's build writes (`lz4 -l`): a magic number, then blocks of at most 8 MiB, each after its compressed length. */
export const LZ4_LEGACY_MAGIC = Buffer.from([0x02, 0x21, 0x4c, 0x18]);
const BLOCK_BYTES = 8 * 1024 * 1024;
/** A nibble or byte of this value goes on in the next byte. */
const MORE_NIBBLE = 15;
const MORE_BYTE = 255;
const LEAST_MATCH = 4;

const damaged = (): never => { throw new RangeError('the LZ4 stream is damaged'); };

/** One block (lz4_Block_format.md): runs of literals, each followed by a copy of earlier output. Resolves to where the output ends. */
function inflateBlock(block: Buffer, output: Buffer, start: number): number {
  let [from, to] = [0, start];
  const length = (nibble: number): number => {
    let sum = nibble;
    if (nibble === MORE_NIBBLE) for (let byte = MORE_BYTE; byte === MORE_BYTE; sum += byte) byte = block[from++] ?? damaged();
    return sum;
  };
  while (from < block.length) {
    const token = block[from++] ?? damaged();
    const literals = length(token >> 4);
    if (from + literals > block.length || to + literals > output.length) damaged();
    to += block.copy(output, to, from, from + literals);
    from += literals;
    // The last run has no copy.
    if (from >= block.length) break;
    const offset = (block[from] ?? 0) | ((block[from + 1] ?? 0) << 8);
    from += 2;
    const match = length(token & MORE_NIBBLE) + LEAST_MATCH;
    if (offset === 0 || offset > to - start || to + match > output.length) damaged();
    // Byte by byte where source and target overlap: that is how runs are written.
    if (offset >= match) output.copyWithin(to, to - offset, to - offset + match);
    else for (let index = 0; index < match; index += 1) output[to + index] = output[to + index - offset] ?? 0;
    to += match;
  }
  return to;
}

/** Unpacks a legacy LZ4 stream. Throws RangeError when it is damaged. */
export function inflateLz4Legacy(data: Buffer): Buffer {
  const blocks: Buffer[] = [];
  for (let at = LZ4_LEGACY_MAGIC.length; at + 4 <= data.length;) {
    const size = data.readUInt32LE(at);
    at += 4;
    // The kernel's build puts the unpacked length behind the stream.
    if (size === 0 || at + size > data.length) break;
    const output = Buffer.allocUnsafe(BLOCK_BYTES);
    blocks.push(output.subarray(0, inflateBlock(data.subarray(at, at + size), output, 0)));
    at += size;
  }
  return Buffer.concat(blocks);
}
