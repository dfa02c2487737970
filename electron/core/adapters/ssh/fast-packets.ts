import { createSecretKey, randomFillSync, type KeyObject } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Client } from 'ssh2';

/** The fields of ssh2 1.17 that are touched: AES-GCM makes a new cipher for each packet, from these bytes; see ADR 57. */
type Insides = { readonly _protocol?: { _debug?: unknown; readonly _cipher?: { _encKey?: Buffer | KeyObject; allocPacket?: (payloadBytes: number) => Buffer }; readonly _decipher?: { _decipherKey?: Buffer | KeyObject } } };

/**
 * Gives the ciphers of a connection their keys as key objects, after each exchange of keys. Node takes 16 µs to make an AES-GCM cipher from plain bytes
 * and 3 µs from a key object, and ssh2 makes one for each packet: measured, a third of what a small request costs. Where the fields are not found (another
 * cipher, a later ssh2) everything works as before, only slower; a test notices.
 */
export function useKeyObjects(client: Client): void {
  client.on('handshake', () => {
    const { _protocol: protocol } = client as unknown as Insides;
    const { _cipher: cipher, _decipher: decipher } = protocol ?? {};
    if (Buffer.isBuffer(cipher?._encKey)) {
      cipher._encKey = createSecretKey(cipher._encKey);
      cipher.allocPacket = packetWithPadding;
    }
    if (Buffer.isBuffer(decipher?._decipherKey)) decipher._decipherKey = createSecretKey(decipher._decipherKey);
  });
}

/** RFC 4253, 6: a packet is its length, the length of its padding, payload and padding; what is encrypted is a multiple of the cipher's block. */
const LENGTH_BYTES = 4;
const HEAD_BYTES = LENGTH_BYTES + 1;
const BLOCK_BYTES = 16;
const LEAST_PADDING_BYTES = 4;
/** Enough padding for hundreds of packets; fetching it takes as long as fetching that of one. */
const padding = Buffer.alloc(8 * 1024);
let paddingUsed = padding.length;

/** An empty packet as ssh2 asks its cipher for, with random padding out of a store. */
function packetWithPadding(payloadBytes: number): Buffer {
  const short = BLOCK_BYTES - (1 + payloadBytes) % BLOCK_BYTES;
  const paddingBytes = short < LEAST_PADDING_BYTES ? short + BLOCK_BYTES : short;
  const packet = Buffer.allocUnsafe(HEAD_BYTES + payloadBytes + paddingBytes);
  packet.writeUInt32BE(packet.length - LENGTH_BYTES, 0);
  packet[LENGTH_BYTES] = paddingBytes;
  if (paddingUsed + paddingBytes > padding.length) { randomFillSync(padding); paddingUsed = 0; }
  padding.copy(packet, HEAD_BYTES + payloadBytes, paddingUsed, paddingUsed += paddingBytes);
  return packet;
}

/** Ends the describing of each packet for nobody, once the login (see {@link Login}) has read what it needs to. */
export function describeNoMore(client: Client): void {
  client.on('ready', () => {
    const { _protocol: protocol } = client as unknown as Insides;
    if (typeof protocol?._debug === 'function') protocol._debug = undefined;
  });
}

/**
 * Lets the packets that are written within one turn of the event loop leave together: ssh2 writes each by itself, and with many channels the system calls were
 * the largest cost. Nothing waits longer than what is read at that moment takes to be handled.
 */
export function gatherWrites(stream: Duplex): void {
  const write = stream.write.bind(stream) as (...args: readonly unknown[]) => boolean;
  let gathering = false;
  stream.write = (...args: readonly unknown[]): boolean => {
    if (!gathering) {
      gathering = true;
      stream.cork();
      setImmediate(() => { gathering = false; stream.uncork(); });
    }
    return write(...args);
  };
}
