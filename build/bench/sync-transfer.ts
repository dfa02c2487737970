import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { makeSupabaseIndex } from '../../electron/core/adapters/cold-supabase/index-tables.ts';
import { memorySecrets, signedIn } from '../../electron/core/adapters/cold-supabase/testing/signed-in.ts';
import { makeKeyRing } from '../../electron/core/adapters/sealed/key-ring.ts';
import { makeSealedBackend } from '../../electron/core/adapters/sealed/sealed-backend.ts';
import { makeEncryptionPins } from '../../electron/core/services/cloud/encryption-pins.ts';
import { makeSealedNames } from '../../electron/core/services/cloud/sealed-names.ts';
import { timed } from './stats.ts';

/** One archive up, read back, and down again, in a process that does nothing else; tells times and its peak memory. `sealed` encrypts it. */
const [url = '', publishableKey = '', path = '', size = '0', form = 'plain'] = process.argv.slice(2);
const bytes = Number(size);
const hash = createHash('sha256');
await pipeline(createReadStream(path), hash);
const sha256 = hash.digest('hex');
const user = await signedIn({ url, publishableKey });
const archives = form === 'sealed' ? await sealed() : user.archives;
const peak = (): number => Math.round(process.resourceUsage().maxRSS / 1024);
const before = peak();
const up = await timed(() => archives.upload('big', { path, sha256, bytes }, {}));
const afterUp = peak();
const verify = await timed(() => archives.readBack('big', sha256));
const target = `${path}.down`;
const down = await timed(() => archives.download('big', sha256, target, {}));
await rm(target);
await user.dispose();
process.stdout.write(`${JSON.stringify({ form, bytes, upMs: Math.round(up.ms), readBackMs: Math.round(verify.ms), downMs: Math.round(down.ms), peakMb: { atStart: before, afterUp, atEnd: peak() } })}\n`);

async function sealed(): Promise<typeof user.archives> {
  const ring = makeKeyRing(memorySecrets());
  const facts = new Map<string, string>();
  const kept = { get: (key: string): string | null => facts.get(key) ?? null, put: (key: string, value: string | null): void => { if (value === null) facts.delete(key); else facts.set(key, value); } };
  const index = makeSupabaseIndex(user.session, { id: crypto.randomUUID(), name: 'bench' });
  const backend = makeSealedBackend({ kind: 'supabase', archives: user.archives, index }, { ring, names: makeSealedNames(kept), pins: makeEncryptionPins(kept, () => 'bench'), spool: `${user.folder}/sealed` });
  await backend.encryption.set(await ring.keep(ring.make().phrase), true);
  return backend.archives;
}
