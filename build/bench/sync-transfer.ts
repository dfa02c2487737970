import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { signedIn } from '../../electron/core/adapters/cold-supabase/testing/signed-in.ts';
import { timed } from './stats.ts';

/** One archive up, read back, and down again, in a process that does nothing else; tells times and its peak memory. */
const [url = '', publishableKey = '', path = '', size = '0'] = process.argv.slice(2);
const bytes = Number(size);
const hash = createHash('sha256');
await pipeline(createReadStream(path), hash);
const sha256 = hash.digest('hex');
const user = await signedIn({ url, publishableKey });
const peak = (): number => Math.round(process.resourceUsage().maxRSS / 1024);
const before = peak();
const up = await timed(() => user.archives.upload('big', { path, sha256, bytes }, {}));
const afterUp = peak();
const verify = await timed(() => user.archives.readBack('big', sha256));
const target = `${path}.down`;
const down = await timed(() => user.archives.download('big', sha256, target, {}));
await rm(target);
await user.dispose();
process.stdout.write(`${JSON.stringify({ bytes, upMs: Math.round(up.ms), readBackMs: Math.round(verify.ms), downMs: Math.round(down.ms), peakMb: { atStart: before, afterUp, atEnd: peak() } })}\n`);
