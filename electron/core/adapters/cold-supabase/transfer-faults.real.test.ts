import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeSupabaseArchives } from './archives.ts';
import { CHUNK_BYTES } from './resumable-upload.ts';
import { SupabaseSession } from './session.ts';
import { StorageApi } from './storage-api.ts';
import type { Fault } from './testing/faults.ts';
import { memorySecrets, signedIn, type TestUser } from './testing/signed-in.ts';
import { overwriteObject, startStack, type Stack } from './testing/stack.ts';

/** Three whole chunks and a piece. */
const content = randomBytes(3 * CHUNK_BYTES + 1_000_000);
const CHUNKS = [0, 1, 2, 3];
let stack: Stack;
let user: TestUser;
let path: string;
let sha256: string;
const file = (): { path: string; sha256: string; bytes: number } => ({ path, sha256, bytes: content.length });
const PATCH = /^PATCH \/storage\/v1\/upload/;
const SIGNED_GET = /^GET \/storage\/v1\/object\/sign/;
const code = (name: string): unknown => expect.objectContaining({ code: name });
const patches = (): number => stack.faults.seen.filter(({ method }) => method === 'PATCH').length;
const objectName = (): string => `${user.user.userId}/project-p.${sha256}.zip`;
/** The same person, journal and folder in another process. */
const restarted = (): TestUser['archives'] => makeSupabaseArchives({ api: new StorageApi(user.session), journal: user.journal, spool: join(user.folder, 'spool'), uploadDelaysMs: [5], downloadRetries: { delaysMs: [5] } });

/** Tokens of the same second are the same. */
const nextSecond = (): Promise<void> => new Promise((resolve) => { setTimeout(resolve, 1_100); });

beforeAll(async () => { stack = await startStack(); });
afterAll(() => stack.stop());
beforeEach(async () => {
  user = await signedIn(stack);
  // Other bytes each time, so that no test meets another's object.
  randomBytes(16).copy(content);
  sha256 = createHash('sha256').update(content).digest('hex');
  path = join(user.folder, 'archive.zip');
  await mkdir(user.folder, { recursive: true });
  writeFileSync(path, content);
});
afterEach(async () => { stack.faults.clear(); stack.skew.ms = 0; stack.revoked.clear(); stack.limits.maxFileBytes = null; await user.dispose(); });
const arrived = async (): Promise<void> => { expect(await user.archives.readBack('p', sha256)).toEqual({ sha256, bytes: content.length }); };

describe('an upload', () => {
  it.each(CHUNKS)('goes on when the link is cut at the start of, in the middle of and after chunk %i', async (chunk) => {
    for (const afterBytes of [0, 400_000]) {
      let patch = 0;
      stack.faults.set(({ method, path: at }) => PATCH.test(`${method} ${at}`) && patch++ === chunk ? { kind: 'cut-upload', afterBytes } : null);
      await user.archives.upload('p', file(), {});
      await arrived();
      await user.archives.remove('p', sha256);
    }
    let patch = 0;
    stack.faults.set(({ method, path: at }) => PATCH.test(`${method} ${at}`) && patch++ === chunk ? { kind: 'lose-answer' } : null);
    await user.archives.upload('p', file(), {});
    await arrived();
  });

  it('goes on in another process where it was cut, and sends nothing twice', async () => {
    let patch = 0;
    stack.faults.set(({ method, path: at }) => PATCH.test(`${method} ${at}`) && patch++ >= 2 ? { kind: 'cut-upload', afterBytes: 0 } : null);
    await expect(user.archives.upload('p', file(), {})).rejects.toThrow(code('CLOUD_OFFLINE'));
    expect(user.journal.kept.size).toBe(1);
    expect(await user.archives.list('p')).toEqual([]);
    stack.faults.clear();
    await restarted().upload('p', file(), {});
    expect(patches()).toBe(2);
    expect(user.journal.kept.size).toBe(0);
    await arrived();
  });

  it('begins anew when the server has forgotten what was begun', async () => {
    user.journal.put(objectName(), `${stack.url}/storage/v1/upload/resumable/bm8tc3VjaA`);
    await user.archives.upload('p', file(), {});
    await arrived();
  });

  it('goes on when its token ends in the middle', async () => {
    await nextSecond();
    let patch = 0;
    stack.faults.set(({ headers }) => { if (headers['tus-resumable'] !== undefined && patch++ === 3) stack.revoked.add((headers.authorization ?? '').slice(7)); return null; });
    await user.archives.upload('p', file(), {});
    await arrived();
  });

  it('goes on in another process with a token that has ended since, and sends nothing twice', async () => {
    let patch = 0;
    stack.faults.set(({ method, path: at }) => PATCH.test(`${method} ${at}`) && patch++ >= 2 ? { kind: 'cut-upload', afterBytes: 0 } : null);
    await expect(user.archives.upload('p', file(), {})).rejects.toThrow(code('CLOUD_OFFLINE'));
    stack.faults.clear();
    await nextSecond();
    // The place of an upload is asked for first, and a refusal of that has no words.
    stack.revoked.add(await user.session.token());
    await restarted().upload('p', file(), {});
    expect(patches()).toBe(2);
    await arrived();
  });

  it('goes on from where the server stands when that is another place than was thought', async () => {
    stack.faults.next(PATCH, { kind: 'status', status: 409, body: 'Upload-Offset conflict' });
    await user.archives.upload('p', file(), {});
    expect(patches()).toBe(CHUNKS.length + 1);
    await arrived();
  });

  it('whose object another upload has finished meanwhile ends at once, and clears away what it had sent', async () => {
    let patch = 0;
    stack.faults.set(({ method, path: at }) => PATCH.test(`${method} ${at}`) && patch++ >= 2 ? { kind: 'cut-upload', afterBytes: 0 } : null);
    await expect(user.archives.upload('p', file(), {})).rejects.toThrow(code('CLOUD_OFFLINE'));
    stack.faults.clear();
    const other = await signedIn(stack, user.user.email);
    await other.archives.upload('p', file(), {});
    stack.faults.clear();
    await restarted().upload('p', file(), {});
    expect(patches()).toBe(1);
    expect(stack.faults.seen.filter(({ method }) => method === 'DELETE')).toHaveLength(1);
    expect(user.journal.kept.size).toBe(0);
    await arrived();
    await other.dispose();
  });

  it('says that the bucket is missing, and what to do about it', async () => {
    stack.faults.set(({ method, path: at }) => (method === 'POST' && at.endsWith('/upload/resumable') ? { kind: 'status', status: 404, body: 'Bucket not found' } : null));
    await expect(user.archives.upload('p', file(), {})).rejects.toThrow(expect.objectContaining({ code: 'CLOUD_REFUSED', message: expect.stringContaining('no bucket') as unknown, hint: expect.stringContaining('migrations') as unknown }));
  });

  it('that is refused before it was read ends at once, and holds up nothing that comes next', async () => {
    const small = content.subarray(0, CHUNK_BYTES - 1);
    const hash = createHash('sha256').update(small).digest('hex');
    writeFileSync(path, small);
    stack.limits.maxFileBytes = 1_000_000;
    const began = performance.now();
    await expect(user.archives.upload('p', { path, sha256: hash, bytes: small.length }, {})).rejects.toThrow(code('CLOUD_FILE_TOO_LARGE'));
    stack.limits.maxFileBytes = null;
    await nextSecond();
    stack.revoked.add(await user.session.token());
    await user.archives.upload('p', { path, sha256: hash, bytes: small.length }, {});
    expect(await user.archives.list('p')).toHaveLength(1);
    // Its connection would stay open for five seconds here, and for a minute with the real server.
    expect(performance.now() - began).toBeLessThan(4_500);
  });

  it('of the same content by several computers at once leaves one whole object, whichever came last', async () => {
    const small = content.subarray(0, 300_000);
    const hash = createHash('sha256').update(small).digest('hex');
    writeFileSync(path, small);
    const users = await Promise.all([1, 2, 3].map(() => signedIn(stack, user.user.email)));
    await Promise.all(users.map(({ archives }) => archives.upload('p', { path, sha256: hash, bytes: small.length }, {})));
    expect(await user.archives.list('p')).toMatchObject([{ sha256: hash, bytes: small.length }]);
    expect(await user.archives.readBack('p', hash)).toEqual({ sha256: hash, bytes: small.length });
    for (const one of users) await one.dispose();
  });

  it.each([[500, 'CLOUD_FAILED'], [429, 'CLOUD_RATE_LIMITED'], [402, 'CLOUD_OVER_QUOTA'], [413, 'CLOUD_FILE_TOO_LARGE'], [540, 'CLOUD_PAUSED']] as const)('that is answered %i ends as %s, keeps its place, and ends well later', async (status, name) => {
    let patch = 0;
    stack.faults.set(({ method, path: at }) => PATCH.test(`${method} ${at}`) && patch++ >= 1 ? { kind: 'status', status, headers: { 'retry-after': '2' } } : null);
    await expect(user.archives.upload('p', file(), {})).rejects.toThrow(code(name));
    expect(await user.archives.list('p')).toEqual([]);
    stack.faults.clear();
    await user.archives.upload('p', file(), {});
    expect(patches()).toBe(3);
    await arrived();
  });

  it('that the plan does not take is refused before its first byte', async () => {
    stack.limits.maxFileBytes = 1_000_000;
    await expect(user.archives.upload('p', file(), {})).rejects.toThrow(code('CLOUD_FILE_TOO_LARGE'));
    // The server knows no quota; a platform in front of it may.
    stack.faults.next(/^POST .*resumable/, { kind: 'status', status: 402, body: { message: 'exceed_storage_size_quota' } });
    await expect(user.archives.upload('p', file(), {})).rejects.toThrow(code('CLOUD_OVER_QUOTA'));
    expect(patches()).toBe(0);
  });

  it('that is cancelled stops at once and is continued the next time', async () => {
    const abort = new AbortController();
    await expect(user.archives.upload('p', file(), { signal: abort.signal, onProgress: () => abort.abort() })).rejects.toThrow(code('CANCELLED'));
    await user.archives.upload('p', file(), {});
    await arrived();
  });
});

describe('a project with thousands of archives', () => {
  it('is removed in pieces, although rows still name some of them, and says when something stays', async () => {
    const { userId } = user.user;
    const { pool } = stack.cluster;
    const nameOf = (hash: string): string => `${userId}/project-many.${hash}.zip`;
    await pool.query(`insert into projects (user_id, id, name) values ($1, 'many', 'Many')`, [userId]);
    await pool.query(`insert into storage.objects (bucket_id, name, owner_id, version, metadata) select 'user-projects', $1 || '/project-many.' || encode(sha256(n::text::bytea), 'hex') || '.zip', $1, n::text, '{"size": 1}' from generate_series(1, 2500) n`, [userId]);
    const hash = createHash('sha256').update('1').digest('hex');
    await pool.query(`insert into archives (user_id, id, project_id, device, path, sha256, bytes, files, content_bytes, reason, saved_at) values ($1, $2, 'many', 'd', $3, $4, 1, 1, 1, 'save', now())`, [userId, crypto.randomUUID(), nameOf(hash), hash]);
    stack.faults.next(/^DELETE .*object/, { kind: 'status', status: 500 });
    await expect(user.archives.removeProject('many')).rejects.toThrow(code('CLOUD_FAILED'));
    expect(await user.archives.list('many')).toHaveLength(2500);
    stack.faults.clear();
    await user.archives.removeProject('many');
    expect(await user.archives.list('many')).toEqual([]);
    expect(stack.faults.seen.filter(({ method }) => method === 'DELETE')).toHaveLength(3);
  });
});

describe('a download', () => {
  const target = (): string => join(user.folder, 'down.zip');
  beforeEach(async () => { await user.archives.upload('p', file(), {}); stack.faults.clear(); });

  it('goes on when the link is cut at every megabyte', async () => {
    let gets = 0;
    stack.faults.set(({ method, path: at }) => { if (SIGNED_GET.test(`${method} ${at}`)) { gets += 1; return { kind: 'cut-download', afterBytes: 1_000_000 }; } return null; });
    await user.archives.download('p', sha256, target(), {});
    expect(readFileSync(target()).equals(content)).toBe(true);
    expect(gets).toBeGreaterThanOrEqual(Math.floor(content.length / 1_000_000));
    expect(existsSync(`${target()}.part`)).toBe(false);
  });

  it('goes on in another process where it was cut', async () => {
    let gets = 0;
    stack.faults.set(({ method, path: at }): Fault | null => SIGNED_GET.test(`${method} ${at}`) ? (gets++ === 0 ? { kind: 'cut-download', afterBytes: 5_000_000 } : { kind: 'cut-download', afterBytes: 0 }) : null);
    await expect(restarted().download('p', sha256, target(), {})).rejects.toThrow(code('CLOUD_OFFLINE'));
    expect(existsSync(target())).toBe(false);
    const had = statSync(`${target()}.part`).size;
    expect(had).toBeGreaterThan(1_000_000);
    stack.faults.clear();
    await restarted().download('p', sha256, target(), {});
    expect(stack.faults.seen.find(({ method, path: at }) => SIGNED_GET.test(`${method} ${at}`))?.headers.range).toBe(`bytes=${had}-`);
    expect(readFileSync(target()).equals(content)).toBe(true);
  });

  it.each([['truncated', (): Buffer => content.subarray(0, content.length - 5_000)], ['swapped', (): Buffer => randomBytes(content.length)], ['emptied', (): Buffer => Buffer.alloc(0)]] as const)('of a %s object gives no file, and a healed object then does', async (_what, damage) => {
    await overwriteObject(stack, objectName(), damage());
    await expect(user.archives.download('p', sha256, target(), {})).rejects.toThrow(code('ARCHIVE_CORRUPT'));
    expect(existsSync(target())).toBe(false);
    expect(await user.archives.readBack('p', sha256)).not.toMatchObject({ sha256 });
    await user.archives.upload('p', file(), {});
    await user.archives.download('p', sha256, target(), {});
    expect(readFileSync(target()).equals(content)).toBe(true);
  });

  it('does not trust the part that an earlier attempt left', async () => {
    for (const part of [randomBytes(2_000_000), randomBytes(content.length + 5), randomBytes(content.length)]) {
      writeFileSync(`${target()}.part`, part);
      await user.archives.download('p', sha256, target(), {});
      expect(readFileSync(target()).equals(content)).toBe(true);
      await rm(target());
    }
  });

  it('with an expired token asks again instead of believing that the archive is gone', async () => {
    await nextSecond();
    stack.revoked.add(await user.session.token());
    await user.archives.download('p', sha256, target(), {});
    expect(existsSync(target())).toBe(true);
  });

  it('with a session that the server has ended says that, not that the archive is gone', async () => {
    stack.revoked.add(await user.session.token());
    stack.faults.next(/token\?|\/auth\/v1\/token/, { kind: 'status', status: 400, body: { error_code: 'refresh_token_not_found', msg: 'Invalid Refresh Token' } });
    await expect(user.archives.open('p', sha256)).rejects.toThrow(code('CLOUD_SIGNED_OUT'));
  });

  it.each([
    ['a gateway that does not know the key', 401, { message: 'Invalid API key', hint: 'Double check your API key.' }, 'CLOUD_REFUSED'],
    ['a gateway that refuses for a while', 403, { message: 'Access denied' }, 'CLOUD_REFUSED'],
    ['a limit', 429, { msg: 'Request rate limit reached' }, 'CLOUD_RATE_LIMITED'],
  ] as const)('keeps its session when the renewal is refused by %s', async (_who, status, body, name) => {
    await nextSecond();
    stack.revoked.add(await user.session.token());
    stack.faults.set(({ path: at }) => (at.startsWith('/auth/v1/token') ? { kind: 'status', status, body } : null));
    await expect(user.archives.open('p', sha256)).rejects.toThrow(code(name));
    expect(user.session.user).toMatchObject({ userId: user.user.userId });
    stack.faults.clear();
    await user.archives.download('p', sha256, target(), {});
  });

  it.each([-3, 3])('works with a clock that is %i hours wrong', async (hours) => {
    const secrets = memorySecrets();
    const session = new SupabaseSession(stack, secrets, () => Date.now() + hours * 3_600_000);
    await session.signIn(user.user.email, 'correct horse battery');
    const archives = makeSupabaseArchives({ api: new StorageApi(session), journal: user.journal, spool: user.folder });
    await archives.download('p', sha256, target(), {});
    // The same session after a restart with the clock put right.
    const later = new SupabaseSession(stack, secrets, () => Date.now());
    await later.load();
    expect(await makeSupabaseArchives({ api: new StorageApi(later), journal: user.journal, spool: user.folder }).list('p')).toHaveLength(1);
  });
});
