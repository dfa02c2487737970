import { KeyObject } from 'node:crypto';
import { rmSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { gatherWrites } from './fast-packets.ts';
import { openRoute } from './open-route.ts';
import { Questions } from './questions.ts';
import { resolveRoute } from './route.ts';
import { person } from './testing/client.ts';
import { makeKey, me, startSshd, whyNoSshd } from './testing/sshd.ts';

const undo: (() => Promise<void> | void)[] = [];
afterEach(async () => { for (const step of undo.splice(0).reverse()) await step(); });
type Insides = { readonly _protocol: { readonly _debug: unknown; readonly _cipher: { readonly _encKey: unknown; allocPacket(payloadBytes: number): Buffer }; readonly _decipher: { readonly _decipherKey: unknown }; rekey(done: () => void): void } };

describe('packets', () => {
  it('that are written in one turn leave together, and none is kept back', async () => {
    const stream = new PassThrough();
    let batches = 0;
    stream._writev = (chunks, done) => { batches += 1; for (const { chunk } of chunks) stream.push(chunk); done(); };
    gatherWrites(stream);
    for (const part of ['a', 'b', 'c']) stream.write(part);
    expect(stream.readableLength).toBe(0);
    await turn();
    expect([batches, String(stream.read())]).toEqual([1, 'abc']);
  });

  it('are encrypted with key objects and padded out of a store, after an exchange of keys too', async (context) => {
    const why = whyNoSshd();
    if (why !== null) return context.skip(why);
    const who = person();
    undo.push(() => rmSync(who.folder, { recursive: true, force: true }));
    const key = makeKey(who.folder, 'key');
    // The server exchanges keys anew after each megabyte.
    const sshd = await startSshd({ authorized: [key.publicLine], config: ['RekeyLimit 1M'] });
    undo.push(() => sshd.stop());
    const signal = new AbortController().signal;
    const route = await openRoute({ hops: await resolveRoute(`${me}@127.0.0.1:${sshd.port}`, key.path, who.environment), questions: new Questions(null, who.secrets, signal), hostKeys: who.hostKeys, acceptHostKeys: [sshd.hostKey.fingerprint], signal });
    undo.push(() => { route.target.end(); });
    const keys = (): readonly unknown[] => { const { _cipher, _decipher } = (route.target as unknown as Insides)._protocol; return [_cipher._encKey, _decipher._decipherKey]; };
    const first = keys();
    expect(first.every((one) => one instanceof KeyObject)).toBe(true);
    const bytes = await new Promise<number>((resolve, reject) => route.target.exec('head -c 5000000 /dev/zero', (error, channel) => {
      if (error != null) { reject(error); return; }
      let got = 0;
      channel.on('data', (data: Buffer) => { got += data.length; }).on('close', () => resolve(got));
    }));
    expect(bytes).toBe(5_000_000);
    expect(keys().every((one) => one instanceof KeyObject)).toBe(true);
    expect(keys()[0]).not.toBe(first[0]);

    const protocol = (route.target as unknown as Insides)._protocol;
    expect(protocol._debug).toBeUndefined();
    // Each packet fills blocks of 16 bytes behind its length with at least four bytes of padding, which are others each time.
    const paddings = Array.from({ length: 2_000 }, (_unused, size) => {
      const packet = protocol._cipher.allocPacket(size % 50);
      const [length, bytes] = [packet.readUInt32BE(0), packet[4] ?? 0];
      expect([length, length % 16, bytes >= 4, packet.length]).toEqual([packet.length - 4, 0, true, 5 + size % 50 + bytes]);
      return packet.subarray(-bytes).toString('hex');
    });
    expect(new Set(paddings.filter((hex) => hex.length >= 16)).size).toBe(paddings.filter((hex) => hex.length >= 16).length);
  });
});
