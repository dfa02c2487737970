import { createSecretKey, type KeyObject } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Client } from 'ssh2';

/** The two fields of ssh2 1.17 that are touched: AES-GCM makes a new cipher for each packet, from these bytes. */
type Insides = { readonly _protocol?: { readonly _cipher?: { _encKey?: Buffer | KeyObject }; readonly _decipher?: { _decipherKey?: Buffer | KeyObject } } };

/**
 * Gives the ciphers of a connection their keys as key objects, after each exchange of keys. Node takes 16 µs to make an AES-GCM cipher from plain bytes
 * and 3 µs from a key object, and ssh2 makes one for each packet: measured, a third of what a small request costs. Where the fields are not found (another
 * cipher, a later ssh2) everything works as before, only slower; a test notices.
 */
export function useKeyObjects(client: Client): void {
  client.on('handshake', () => {
    const { _protocol: protocol } = client as unknown as Insides;
    const { _cipher: cipher, _decipher: decipher } = protocol ?? {};
    if (Buffer.isBuffer(cipher?._encKey)) cipher._encKey = createSecretKey(cipher._encKey);
    if (Buffer.isBuffer(decipher?._decipherKey)) decipher._decipherKey = createSecretKey(decipher._decipherKey);
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
