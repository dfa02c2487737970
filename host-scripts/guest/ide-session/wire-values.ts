/**
 * Values as VS Code's own processes exchange them (`vs/base/parts/ipc/common/ipc.ts`, MIT): a type byte, then, where the type has one,
 * a length as a base-128 number with the low bits first.
 */
const TYPE = { undefined: 0, string: 1, buffer: 2, viewBuffer: 3, array: 4, object: 5, integer: 6 } as const;

export type WireValue = unknown;

function lengthBytes(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.from(bytes);
}

export function encodeValue(value: WireValue): Buffer {
  if (value === undefined) return Buffer.from([TYPE.undefined]);
  if (typeof value === 'string') return withLength(TYPE.string, Buffer.from(value));
  if (Buffer.isBuffer(value)) return withLength(TYPE.viewBuffer, value);
  if (Array.isArray(value)) return Buffer.concat([Buffer.from([TYPE.array]), lengthBytes(value.length), ...value.map(encodeValue)]);
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return Buffer.concat([Buffer.from([TYPE.integer]), lengthBytes(value)]);
  return withLength(TYPE.object, Buffer.from(JSON.stringify(value)));
}

const withLength = (type: number, bytes: Buffer): Buffer => Buffer.concat([Buffer.from([type]), lengthBytes(bytes.length), bytes]);

/** Reads values one after another. Throws RangeError when the bytes end early, SyntaxError on what is no value. */
export class ValueReader {
  readonly #bytes: Buffer;
  #position = 0;

  constructor(bytes: Buffer) { this.#bytes = bytes; }

  next(): WireValue {
    const type = this.#byte();
    switch (type) {
      case TYPE.undefined: return undefined;
      case TYPE.string: return this.#take(this.#length()).toString('utf8');
      case TYPE.buffer: case TYPE.viewBuffer: return this.#take(this.#length());
      case TYPE.array: return Array.from({ length: this.#length() }, () => this.next());
      case TYPE.object: return JSON.parse(this.#take(this.#length()).toString('utf8')) as unknown;
      case TYPE.integer: return this.#length();
      default: throw new SyntaxError(`no value begins with ${type}`);
    }
  }

  #byte(): number { return this.#take(1).readUInt8(0); }

  #take(length: number): Buffer {
    if (this.#position + length > this.#bytes.length) throw new RangeError('the value ends early');
    this.#position += length;
    return this.#bytes.subarray(this.#position - length, this.#position);
  }

  #length(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new SyntaxError('a length has too many bytes');
  }
}
