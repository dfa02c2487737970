/**
 * The CRC-32 of data followed by zeros, without looking at the zeros: a hole of a gigabyte costs some thirty multiplications. Appending zeros is
 * linear over the bits of the register, so a run is a matrix, and doubling the run squares it (as in zlib's crc32_combine).
 */
type Matrix = Uint32Array;

function times(matrix: Matrix, vector: number): number {
  let sum = 0;
  for (let bit = 0, rest = vector; rest !== 0; bit += 1, rest >>>= 1) if ((rest & 1) === 1) sum ^= matrix[bit] ?? 0;
  return sum >>> 0;
}

const squared = (matrix: Matrix): Matrix => Uint32Array.from(matrix, (column) => times(matrix, column));

/** Entry n appends 2^n zero bytes. */
const powers: Matrix[] = [];

function power(index: number): Matrix {
  if (powers.length === 0) {
    // One zero bit: shift, and the polynomial where a one falls out.
    const bit = Uint32Array.from({ length: 32 }, (_, column) => (column === 0 ? 0xedb88320 : 1 << (column - 1)));
    powers.push(squared(squared(squared(bit))));
  }
  for (let last = powers.at(-1); powers.length <= index && last !== undefined; last = powers.at(-1)) powers.push(squared(last));
  return powers[index] ?? new Uint32Array(32);
}

/** `crc` is the CRC-32 so far; `zeros` how many zero bytes follow. Returns the CRC-32 with them. */
export function crc32Zeros(crc: number, zeros: number): number {
  let register = ~crc >>> 0;
  for (let index = 0, rest = zeros; rest > 0; index += 1, rest = Math.floor(rest / 2)) if (rest % 2 === 1) register = times(power(index), register);
  return ~register >>> 0;
}
