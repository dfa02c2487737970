/** Kinds of frames of VS Code's persistent protocol (`vs/base/parts/ipc/common/ipc.net.ts`). */
export const FRAME = { regular: 1, control: 2, acknowledge: 3, disconnect: 5, replayRequest: 6, pause: 7, resume: 8, keepAlive: 9 } as const;

/** Kind (1 byte), id, id of the last frame received, length (4 bytes each, big endian). */
const HEADER_BYTES = 13;

export type Frame = { readonly kind: number; readonly id: number; readonly data: Buffer };

export function encodeFrame(kind: number, id: number, acknowledged: number, data: Uint8Array = new Uint8Array()): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(kind, 0);
  header.writeUInt32BE(id, 1);
  header.writeUInt32BE(acknowledged, 5);
  header.writeUInt32BE(data.length, 9);
  return Buffer.concat([header, data]);
}

/** Cuts a stream of chunks into frames; a frame may span chunks. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Uint8Array): readonly Frame[] {
    this.#rest = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk]);
    const frames: Frame[] = [];
    while (this.#rest.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + this.#rest.readUInt32BE(9);
      if (this.#rest.length < end) break;
      frames.push({ kind: this.#rest.readUInt8(0), id: this.#rest.readUInt32BE(1), data: this.#rest.subarray(HEADER_BYTES, end) });
      this.#rest = this.#rest.subarray(end);
    }
    return frames;
  }
}
