import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RemoteArchive, RemoteArchives } from '../../ports/remote-store.ts';
import { coldStoreContract } from '../cold-local/cold-store.contract.ts';
import { memoryJournal } from '../cold-supabase/testing/signed-in.ts';
import { makeS3Archives, PART_BYTES } from './archives.ts';
import { S3Client } from './client.ts';
import { makeS3Index } from './index-objects.ts';
import { startS3Double, type S3Double } from './testing/s3-double.ts';

let s3: S3Double;
let folder: string;
let prefix = '';
const journal = memoryJournal();
beforeAll(async () => { s3 = await startS3Double(); folder = mkdtempSync(join(tmpdir(), 'vessel-s3-')); });
afterAll(async () => { await s3.stop(); rmSync(folder, { recursive: true, force: true }); });
afterEach(() => { s3.faults.clear(); s3.skew.ms = 0; s3.features.conditional = true; });
const code = (name: string): unknown => expect.objectContaining({ code: name });
const client = (change: Partial<S3Double> = {}): S3Client => new S3Client({ ...s3, prefix, ...change });
const make = (): RemoteArchives => makeS3Archives({ client: client(), journal, spool: folder, retries: { delaysMs: [1, 2, 4] } });

coldStoreContract('an S3 bucket', {
  make: async () => { prefix = `${crypto.randomUUID()}/`; return make(); },
  damage: async (_store, projectId, sha256) => { s3.objects.set(`${prefix}projects/${projectId}/${sha256}.zip`, Buffer.from('damaged')); },
});

describe('archives in a bucket', () => {
  /** Two whole parts and a piece. */
  const content = randomBytes(2 * PART_BYTES + 100_000);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const file = (): { path: string; sha256: string; bytes: number } => { const path = join(folder, 'a.zip'); writeFileSync(path, content); return { path, sha256, bytes: content.length }; };
  const arrived = async (): Promise<void> => { expect(await make().readBack('p', sha256)).toEqual({ sha256, bytes: content.length }); };
  const isPart = (method: string): boolean => method === 'PUT';
  const parts = (): number => s3.faults.seen.filter(({ method }) => isPart(method)).length;

  it.each([0, 1, 2])('arrive although the link is cut in part %i and its answer is lost', async (part) => {
    for (const fault of [{ kind: 'cut-upload', afterBytes: 50_000 }, { kind: 'lose-answer' }] as const) {
      prefix = `${crypto.randomUUID()}/`;
      let seen = 0;
      s3.faults.set(({ method }) => isPart(method) && seen++ === part ? fault : null);
      await make().upload('p', file(), {});
      await arrived();
    }
  });

  it('are continued by another process, which sends only the parts that are missing', async () => {
    prefix = `${crypto.randomUUID()}/`;
    let seen = 0;
    s3.faults.set(({ method }) => isPart(method) && seen++ >= 2 ? { kind: 'cut-upload', afterBytes: 0 } : null);
    await expect(make().upload('p', file(), {})).rejects.toThrow(code('CLOUD_OFFLINE'));
    s3.faults.clear();
    await make().upload('p', file(), {});
    expect(parts()).toBe(1);
    await arrived();
  });

  it('are whole although the answer to their completion is lost', async () => {
    prefix = `${crypto.randomUUID()}/`;
    let posts = 0;
    s3.faults.set(({ method }) => method === 'POST' && posts++ === 1 ? { kind: 'lose-answer' } : null);
    await make().upload('p', file(), {});
    await arrived();
  });

  it('come down through a link that is cut at every megabyte, and continue an earlier part', async () => {
    const target = join(folder, 'down.zip');
    s3.faults.set(({ method, path }) => method === 'GET' && path.endsWith('.zip') ? { kind: 'cut-download', afterBytes: 1_000_000 } : null);
    writeFileSync(`${target}.part`, content.subarray(0, 3_000_000));
    await make().download('p', sha256, target, {});
    expect(readFileSync(target).equals(content)).toBe(true);
    expect(s3.faults.seen[0]?.headers.range).toBe('bytes=3000000-');
  });

  it.each([['truncated', (): Buffer => content.subarray(0, 5_000)], ['swapped', (): Buffer => randomBytes(content.length)]] as const)('that were %s give no file', async (_what, damage) => {
    s3.objects.set(`${prefix}projects/p/${sha256}.zip`, damage());
    const target = join(folder, 'bad.zip');
    await expect(make().download('p', sha256, target, {})).rejects.toThrow(code('ARCHIVE_CORRUPT'));
    expect(existsSync(target)).toBe(false);
    await make().upload('p', file(), {});
    await arrived();
  });

  it.each([[500, 'CLOUD_FAILED'], [429, 'CLOUD_RATE_LIMITED'], [402, 'CLOUD_OVER_QUOTA'], [413, 'CLOUD_FILE_TOO_LARGE']] as const)('are refused with %i as %s', async (status, name) => {
    prefix = `${crypto.randomUUID()}/`;
    s3.faults.set(({ method }) => isPart(method) ? { kind: 'status', status } : null);
    await expect(make().upload('p', file(), {})).rejects.toThrow(code(name));
  });

  it('go on with a clock that is hours wrong, once the server has said so', async () => {
    s3.skew.ms = 3 * 3_600_000;
    expect(await make().list('p')).toEqual(await make().list('p'));
  });

  it('are closed to a wrong key', async () => {
    const wrong = makeS3Archives({ client: client({ secretAccessKey: 'wrong' }), journal, spool: folder });
    await expect(wrong.list('p')).rejects.toThrow(code('CLOUD_REFUSED'));
  });
});

describe('rows in a bucket', () => {
  const index = (name = 'one'): ReturnType<typeof makeS3Index> => makeS3Index(client(), { id: name, name });
  const facts = (id: string): { id: string; name: string; template: null; settings: object; createdAt: number } => ({ id, name: 'P', template: null, settings: {}, createdAt: 1 });
  const archive = (id: string, branch: string | null = null): RemoteArchive => ({ id, projectId: 'p', parentId: null, branch, device: 'one', sha256: 'a'.repeat(64), bytes: 1, files: 1, contentBytes: 1, leftOut: [], reason: 'save', savedAt: 1 });

  it('move by compare-and-swap: of many who try at once, one wins', async () => {
    prefix = `${crypto.randomUUID()}/`;
    await index().insertProject(facts('p'));
    await index().insertProject({ ...facts('p'), name: 'another' });
    for (let round = 0; round < 20; round += 1) {
      const rev = (await index().project('p'))?.rev ?? 0;
      const answers = await Promise.all(Array.from({ length: 5 }, (_, writer) => index().swapProject('p', rev, { name: `writer ${writer}` })));
      expect(answers.filter((answer) => answer !== null)).toHaveLength(1);
    }
    expect(await index().project('p')).toMatchObject({ rev: 21 });
  });
  it('keep what several computers add at once', async () => {
    await Promise.all(Array.from({ length: 10 }, (_, at) => index(`d${at}`).insertArchive(archive(`a${at}`))));
    expect(await index().archives('p')).toHaveLength(10);
    expect(await index().hasContent('p', 'a'.repeat(64))).toBe(true);
  });
  it('point only at archives of the main line, which then cannot be removed', async () => {
    const { rev = 0 } = await index().project('p') ?? {};
    await index().insertArchive(archive('b', 'branch'));
    for (const id of ['b', 'none']) await expect(index().swapProject('p', rev, { archiveId: id })).rejects.toThrow(code('CLOUD_REFUSED'));
    expect(await index().swapProject('p', rev, { archiveId: 'a1' })).toMatchObject({ archiveId: 'a1' });
    expect(await index().removeArchive('p', 'a1')).toBe(false);
    expect(await index().removeArchive('p', 'a2')).toBe(true);
  });
  it('tell only what changed since the cursor', async () => {
    const { cursor, projects } = await index().changed(null);
    expect(projects.map(({ id }) => id)).toEqual(['p']);
    await index().insertProject(facts('q'));
    expect((await index().changed(cursor)).projects.map(({ id }) => id)).toEqual(['q']);
  });
  it('carry a lease that can be taken over and is given back', async () => {
    expect(await index('one').claim('p', false)).toMatchObject({ held: true });
    expect(await index('two').claim('p', false)).toMatchObject({ held: false, device: 'one' });
    const { sessionId } = await index('two').claim('p', true);
    expect(await index('one').leases()).toMatchObject([{ projectId: 'p', device: 'two', mine: false }]);
    await index('two').release('p', sessionId);
    expect(await index('one').leases()).toEqual([]);
  });
  it('are refused by a server without conditional writes, before anything is written', async () => {
    prefix = `${crypto.randomUUID()}/`;
    s3.features.conditional = false;
    await expect(index().insertProject(facts('p'))).rejects.toThrow(code('CLOUD_REFUSED'));
    expect([...s3.objects.keys()].filter((key) => key.startsWith(`${prefix}rows/`))).toEqual([]);
  });
});
