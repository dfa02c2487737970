import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { text } from 'node:stream/consumers';
import { Transform } from 'node:stream';
import { VesselError } from '#shared/errors.ts';
import type { RemoteProcess, RemoteRunOptions, RemoteRunResult, UploadOptions, UploadResult } from '../../ports/remote-host.ts';

export type UploadHost = {
  exec(argv: readonly string[], options?: { readonly signal?: AbortSignal }): Promise<RemoteProcess>;
  run(argv: readonly string[], options?: RemoteRunOptions): Promise<RemoteRunResult>;
};

/** Breaks of the line without any byte between them; with progress there is no limit. */
const FRUITLESS_ATTEMPTS = 5;
const PAUSE_MS = 500;
const PROGRESS_MS = 200;

/**
 * What happens on the host, as one POSIX script with positional arguments; `sh -c` reads it, the words stay words.
 * It says what it found in lines of `word value`. Names: $1 target, $2 partial file, $3 SHA-256, $4 mode.
 */
const LOOK = `
if [ -f "$1" ] && [ "$(sha256sum < "$1" | cut -d ' ' -f 1)" = "$3" ]; then chmod "$4" "$1" && rm -f "$2" && echo done 1; exit; fi
if [ -f "$2" ]; then echo partial "$(wc -c < "$2" | tr -d ' ')"; else echo partial 0; fi`;
/** Only what lies beyond $2's first $3 bytes is appended: an older writer may have been cut in the middle of a block. */
const APPEND = `
umask 077
if [ "$2" -eq 0 ]; then : > "$1" || exit 1; else truncate -s "$2" "$1" || exit 1; fi
exec cat >> "$1"`;
const FINISH = `
sum="$(sha256sum < "$2" | cut -d ' ' -f 1)" || exit 1
if [ "$sum" != "$3" ]; then rm -f "$2"; echo damaged "$sum"; exit; fi
chmod "$4" "$2" && sync "$2" && mv -f "$2" "$1" && echo done 1`;

/**
 * Puts a local file on the host, over plain commands: SFTP may be switched off, and `cat` is as fast. What arrived stays
 * in a partial file named by the content, so that the next attempt, now or by a later Vessel, goes on behind it.
 */
export async function upload(host: UploadHost, localPath: string, remotePath: string, options: UploadOptions): Promise<UploadResult> {
  const { sha256, bytes, mode, signal, onProgress } = options;
  const partial = `${remotePath}.vessel-${sha256.slice(0, 16)}.part`;
  const script = (body: string, ...words: string[]): Promise<RemoteRunResult> => host.run(['sh', '-c', body, 'sh', ...words], signal === undefined ? {} : { signal });
  const permissions = mode.toString(8);
  let resumedFrom: number | null = null;
  let furthest = -1;
  let fruitless = 0;
  let damaged = false;
  for (;;) {
    try {
      const look = facts(await script(LOOK, remotePath, partial, sha256, permissions), remotePath);
      if (look.has('done')) return { resumedFrom: resumedFrom ?? 0, sent: resumedFrom !== null };
      const there = Math.min(Number(look.get('partial') ?? 0), bytes);
      resumedFrom ??= there;
      if (there > furthest) { furthest = there; fruitless = 0; }
      onProgress?.(there);
      if (there < bytes) await send(host, localPath, partial, there, options);
      const end = facts(await script(FINISH, remotePath, partial, sha256, permissions), remotePath);
      if (end.has('done')) { onProgress?.(bytes); return { resumedFrom, sent: true }; }
      // A writer of before the break may have added to it late: from the start, once.
      if (damaged) throw new VesselError('ARCHIVE_CORRUPT', `${remotePath} did not arrive whole`, { hint: 'Try again; if it repeats, check the local file and the disk of the host.', details: { expected: sha256, found: end.get('damaged') ?? null } });
      damaged = true;
    } catch (error) {
      const known = VesselError.from(error);
      if (known.code !== 'SSH_CONNECTION_LOST' && !(furthest >= 0 && known.retryable && known.code.startsWith('SSH_'))) throw known;
      fruitless += 1;
      if (fruitless > FRUITLESS_ATTEMPTS) throw known;
      await pause(PAUSE_MS * fruitless, signal);
    }
  }
}

async function send(host: UploadHost, localPath: string, partial: string, from: number, { bytes, signal, onProgress }: UploadOptions): Promise<void> {
  const process = await host.exec(['sh', '-c', APPEND, 'sh', partial, String(from)], signal === undefined ? {} : { signal });
  let sent = from;
  let told = 0;
  const count = new Transform({ transform(chunk: Buffer, _encoding, done) {
    sent += chunk.length;
    const now = Date.now();
    if (now - told > PROGRESS_MS) { told = now; onProgress?.(sent); }
    done(null, chunk);
  } });
  process.stdout.resume();
  const said = text(process.stderr);
  const broken = pipeline(createReadStream(localPath, { start: from, end: bytes - 1 }), count, process.stdin, signal === undefined ? {} : { signal }).then(() => null, (error: unknown) => error);
  // The command's own end says more than the pipe that breaks with it.
  const [exit, failure] = await Promise.all([process.exit.catch((error: unknown) => VesselError.from(error)), broken]);
  if (signal?.aborted === true) { process.close(); throw new VesselError('CANCELLED'); }
  if (exit instanceof VesselError) throw exit;
  if (exit.code !== 0) throw remoteFailure(await said, partial);
  if (failure !== null) throw VesselError.from(failure);
}

function facts({ code, stdout, stderr }: RemoteRunResult, path: string): ReadonlyMap<string, string> {
  if (code !== 0) throw remoteFailure(stderr, path);
  return new Map(stdout.trim().split('\n').map((line) => { const [word = '', value = ''] = line.split(' '); return [word, value] as const; }));
}

function remoteFailure(stderr: string, path: string): VesselError {
  const said = stderr.trim().split('\n').at(-1) ?? '';
  const details = { path, said };
  if (/no space left|disk quota exceeded/i.test(stderr)) return new VesselError('DISK_FULL', `The disk of the host is full: ${said}`, { hint: 'Free space on the host, then try again: what arrived is kept.', details });
  if (/permission denied|read-only file system|operation not permitted/i.test(stderr)) return new VesselError('HOST_PERMISSION', `The host refuses to write ${path}: ${said}`, { details });
  return new VesselError('EXEC_FAILED', `The host could not take ${path}: ${said === '' ? 'it did not say why' : said}`, { details });
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => { clearTimeout(timer); reject(new VesselError('CANCELLED')); }, { once: true });
  });
}
