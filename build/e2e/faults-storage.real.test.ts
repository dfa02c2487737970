import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeUnless } from '../testing/describe-unless.ts';
import type { ErrorCode, ErrorShape } from '#shared/errors.ts';
import type { Operation } from '#shared/operation.ts';
import { rawZip, type RawEntry } from '../../images/guest-agent/testing/raw-zip.ts';
import { ideStatus } from './gateway-visit.ts';
import { archivePath, damagedRevisions, endHome, fileInHead, inside, remainsOf, temporaryFiles } from './home.ts';
import { agentOf, processState, resume, unlessGone, until } from './processes.ts';
import { Traps } from './traps.ts';
import { finish, makeHome, startVessel, type RunningVessel } from './vessel.ts';

type Verb = 'open' | 'save' | 'close';

const isRoot = process.getuid?.() === 0;
const megabytes = (count: number): string => `size=${count}m`;

async function run(vessel: RunningVessel, verb: Verb, projectId: string): Promise<Operation> {
  return (await finish(vessel.client, (await vessel.client.call(`environments.${verb}`, { projectId })).operationId, { allowFailure: true })).operation;
}

async function retry(vessel: RunningVessel, operation: Operation): Promise<Operation> {
  const { operationId } = await vessel.client.call('operations.retry', { operationId: operation.id });
  return (await finish(vessel.client, operationId, { allowFailure: true })).operation;
}

async function opened(vessel: RunningVessel, name: string): Promise<string> {
  const { id } = await vessel.client.call('projects.create', { name, template: 'blank' });
  expect(await run(vessel, 'open', id)).toMatchObject({ state: 'succeeded' });
  return id;
}

const errorOf = (operation: Operation): ErrorShape | null => operation.error;

describeUnless(isRoot ? null : 'needs root to mount a small file system', 'a disk that fills up during a save', () => {
  let vessel: RunningVessel;
  let cold: string;
  beforeAll(async () => {
    const home = await makeHome();
    cold = join(home, 'cold');
    await mkdir(cold, { mode: 0o700 });
    execFileSync('mount', ['-t', 'tmpfs', '-o', megabytes(4), 'vessel-test', cold]);
    vessel = await startVessel({ home, driver: 'process' });
  });
  afterAll(async () => {
    await vessel.stop();
    execFileSync('umount', ['--lazy', cold]);
    await endHome(vessel.home);
  });

  it.for(['save', 'close'] as const)('%s fails as DISK_FULL, keeps the environment open, and Retry works once there is space', async (verb) => {
    execFileSync('mount', ['-o', `remount,${megabytes(4)}`, cold]);
    const id = await opened(vessel, 'full');
    const before = (await vessel.client.call('projects.get', { projectId: id })).head;
    await inside(vessel.client, id, ['sh', '-c', 'head -c 9000000 /dev/urandom > big.bin']);
    const failed = await run(vessel, verb, id);
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'DISK_FULL', retryable: true } });
    expect(errorOf(failed)?.hint).toContain('Retry');
    const kept = await vessel.client.call('projects.get', { projectId: id });
    expect(kept).toMatchObject({ head: before, environment: { state: 'running', dirty: true, error: { code: 'DISK_FULL' } } });
    expect(await ideStatus(vessel, id)).toBe(200);
    expect(await inside(vessel.client, id, ['sh', '-c', 'wc -c < big.bin'])).toContain('9000000');
    expect(await temporaryFiles(vessel.home)).toEqual([]);
    expect(await damagedRevisions(vessel.client, vessel.home, id)).toEqual([]);

    execFileSync('mount', ['-o', `remount,${megabytes(64)}`, cold]);
    expect(await retry(vessel, failed)).toMatchObject({ state: 'succeeded', result: { changed: true } });
    expect(await vessel.client.call('projects.get', { projectId: id })).toMatchObject({ environment: { error: null } });
    if (verb === 'save') expect(await run(vessel, 'close', id)).toMatchObject({ state: 'succeeded', result: { changed: false } });
    await rm(join(cold, id), { recursive: true });
  });
});

describe('archives and the database', () => {
  let vessel: RunningVessel;
  let traps: Traps;
  beforeAll(async () => {
    traps = new Traps(await mkdtemp(join(tmpdir(), 'vsl-traps-')));
    await traps.prepare();
    vessel = await startVessel({ driver: 'process', env: { VESSEL_FAULT: `@${traps.folder}` } });
  });
  afterAll(async () => {
    await vessel.stop();
    await endHome(vessel.home);
    await rm(traps.folder, { recursive: true, force: true });
  });
  const remains = async (id: string): Promise<readonly string[]> => remainsOf(vessel.home, [id], [vessel.pid, await agentOf(vessel.pid) ?? 0]);
  const head = async (projectId: string): Promise<{ readonly rev: number; readonly sha256: string }> => {
    const found = (await vessel.client.call('projects.get', { projectId })).head;
    if (found === null) throw new Error('there is no head');
    return found;
  };

  /** A project whose second revision holds a megabyte, so that much of it has gone into the guest before a damage can show. */
  async function savedTwice(name: string): Promise<string> {
    const id = await opened(vessel, name);
    await inside(vessel.client, id, ['sh', '-c', 'head -c 1000000 /dev/urandom > noise.bin']);
    expect(await run(vessel, 'close', id)).toMatchObject({ state: 'succeeded' });
    return id;
  }

  it.for([
    ['a flipped byte', async (path: string) => { const bytes = await readFile(path); bytes[500_000] = (bytes[500_000] ?? 0) ^ 0xff; await writeFile(path, bytes); }],
    ['a cut end', async (path: string) => { await truncate(path, 700_000); }],
    ['a lost file', async (path: string) => { await rm(path); }],
  ] as const)('refuses to open a head with %s, leaves no machine, and opens an earlier revision', async ([, damage]) => {
    const id = await savedTwice('damaged');
    const { rev, sha256 } = await head(id);
    await damage(archivePath(vessel.home, id, sha256));
    const failed = await run(vessel, 'open', id);
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'ARCHIVE_CORRUPT', hint: expect.stringContaining('history') as string } });
    expect(await vessel.client.call('projects.get', { projectId: id })).toMatchObject({ environment: { state: 'destroyed', error: { code: 'ARCHIVE_CORRUPT' } } });
    expect(await remains(id)).toEqual([]);
    expect(await vessel.client.call('history.verify', { projectId: id })).toMatchObject({ ok: false });

    const { operationId } = await vessel.client.call('history.restore', { projectId: id, rev: rev - 1 });
    await finish(vessel.client, operationId);
    expect(await run(vessel, 'open', id)).toMatchObject({ state: 'succeeded' });
    expect(await run(vessel, 'close', id)).toMatchObject({ state: 'succeeded' });
    expect(await remains(id)).toEqual([]);
  });

  it('says changed:false and keeps the revision when nothing changed', async () => {
    const id = await opened(vessel, 'same');
    const before = await head(id);
    expect(await run(vessel, 'save', id)).toMatchObject({ state: 'succeeded', result: { changed: false, archive: { rev: before.rev, sha256: before.sha256 } } });
    expect(await run(vessel, 'close', id)).toMatchObject({ state: 'succeeded', result: { changed: false, archive: { rev: before.rev } } });
  });

  it('saves again what changed after Save & Exit had read the workspace', async () => {
    const id = await opened(vessel, 'late');
    const file = (name: string): string => join(vessel.home, 'host', 'vms', id, 'workspace', name);
    await writeFile(file('early.txt'), 'early');
    await traps.set('close.verify.before', 'stop');
    const closing = vessel.client.call('environments.close', { projectId: id });
    await until(async () => await processState(vessel.pid) === 'T', 'Save & Exit to have read');
    await writeFile(file('late.txt'), 'late');
    resume(vessel.pid);
    const { operation } = await finish(vessel.client, (await closing).operationId);
    expect(operation.steps.find((step) => step.id === 'recheck')?.detail).toContain('2 times');
    expect(await fileInHead(vessel.client, vessel.home, id, 'early.txt')).toBe('early');
    expect(await fileInHead(vessel.client, vessel.home, id, 'late.txt')).toBe('late');
  });

  it('ends what writes without end, saves the last of it, and says what was stopped', async () => {
    const id = await opened(vessel, 'restless');
    const stop = new AbortController();
    const writer = (async () => {
      for await (const item of vessel.client.stream('exec.run', { projectId: id, argv: ['sh', '-c', 'while true; do date +%N > restless.txt; done'] }, { signal: stop.signal })) void item;
    })().catch(() => undefined);
    await expect.poll(() => inside(vessel.client, id, ['sh', '-c', 'test -s restless.txt && echo written || true'])).toContain('written');
    const closed = await run(vessel, 'close', id);
    expect(closed).toMatchObject({ state: 'succeeded', result: { stopped: expect.arrayContaining([expect.objectContaining({ command: expect.stringContaining('sh') as string })]) as unknown } });
    expect(await vessel.client.call('projects.get', { projectId: id })).toMatchObject({ environment: { state: 'destroyed' } });
    expect(await damagedRevisions(vessel.client, vessel.home, id)).toEqual([]);
    expect(await fileInHead(vessel.client, vessel.home, id, 'restless.txt')).not.toBeNull();
    stop.abort();
    await writer;
  });

  it('rebuilds the list from the cold store when the database cannot be read, and keeps the unreadable one', async () => {
    const id = await savedTwice('remembered');
    const before = await vessel.client.call('projects.get', { projectId: id });
    await vessel.stop();
    const database = join(vessel.home, 'vessel.db');
    await writeFile(database, randomBytes(65_536));
    for (const tail of ['-wal', '-shm']) await rm(`${database}${tail}`, { force: true });
    vessel = await startVessel({ home: vessel.home, driver: 'process' });
    expect(await vessel.client.call('projects.get', { projectId: id })).toMatchObject({ name: before.name, head: before.head, settings: before.settings });
    expect((await readdir(vessel.home)).filter((name) => name.startsWith('vessel.db.corrupt-'))).toHaveLength(1);
    const { events } = await vessel.client.call('events.list', { limit: 50 });
    expect(events.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['store.corrupt', 'store.reindexed']));
    expect(await run(vessel, 'open', id)).toMatchObject({ state: 'succeeded' });
    expect(await inside(vessel.client, id, ['sh', '-c', 'wc -c < noise.bin'])).toContain('1000000');
    expect(await run(vessel, 'close', id)).toMatchObject({ state: 'succeeded' });
  });
});

describe('hostile archives', () => {
  let vessel: RunningVessel;
  let scratch: string;
  beforeAll(async () => {
    vessel = await startVessel({ driver: 'process' });
    scratch = await mkdtemp(join(tmpdir(), 'vsl-hostile-'));
    await vessel.client.call('settings.set', { limits: { maxArchiveBytes: 5_000_000, maxEntries: 100 } });
  });
  afterAll(async () => {
    await vessel.stop();
    await endHome(vessel.home);
    await rm(scratch, { recursive: true, force: true });
  });

  const LINK = 0o120777;
  const zeros = Buffer.alloc(6_000_000);
  const bomb = deflateRawSync(zeros);
  const zip = (...entries: readonly RawEntry[]): Buffer => rawZip([{ name: 'honest.txt', content: 'hello' }, ...entries]);
  const cases: readonly (readonly [string, Buffer, ErrorCode])[] = [
    ['a path that leaves the workspace', zip({ name: '../evil.txt', content: 'x' }), 'ARCHIVE_UNSAFE'],
    ['a path that leaves it further down', zip({ name: 'a/../../evil.txt', content: 'x' }), 'ARCHIVE_UNSAFE'],
    ['an absolute path', zip({ name: '/etc/evil', content: 'x' }), 'ARCHIVE_UNSAFE'],
    ['a file below a link', zip({ name: 'dir', content: 'elsewhere', mode: LINK }, { name: 'dir/file', content: 'x' }), 'ARCHIVE_UNSAFE'],
    ['a device', zip({ name: 'sda', mode: 0o060660 }), 'ARCHIVE_UNSAFE'],
    ['the same name twice', zip({ name: 'honest.txt', content: 'other' }), 'ARCHIVE_UNSAFE'],
    ['an encrypted entry', zip({ name: 'secret', content: 'x'.repeat(13), size: 1, flags: 1 }), 'ARCHIVE_UNSAFE'],
    ['a bomb', zip({ name: 'zeros', method: 8, content: bomb, size: zeros.length }), 'ARCHIVE_TOO_LARGE'],
    ['a bomb that understates its size', zip({ name: 'zeros', method: 8, content: bomb, size: 10 }), 'ARCHIVE_CORRUPT'],
    ['too many entries', zip(...Array.from({ length: 150 }, (_, index) => ({ name: `file-${index}` }))), 'ARCHIVE_TOO_LARGE'],
    ['a wrong checksum', zip({ name: 'bad', content: 'x', crc: 1 }), 'ARCHIVE_CORRUPT'],
    ['a text file', Buffer.from('this is not a zip'), 'ARCHIVE_CORRUPT'],
    ['an empty file', Buffer.alloc(0), 'ARCHIVE_CORRUPT'],
    ['a zip without its end', zip({ name: 'more', content: 'x'.repeat(1000) }).subarray(0, 900), 'ARCHIVE_CORRUPT'],
  ];

  it.for(cases)('an import of %s is refused by name and leaves no project', async ([what, content, code]) => {
    const path = join(scratch, `${what.replaceAll(' ', '-')}.zip`);
    await writeFile(path, content);
    const { projectId, operationId } = await vessel.client.call('projects.import', { path });
    const { operation } = await finish(vessel.client, operationId, { allowFailure: true });
    expect(operation).toMatchObject({ state: 'failed', error: { code } });
    expect(errorOf(operation)?.hint).not.toBe('');
    await expect(vessel.client.call('projects.get', { projectId })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await unlessGone(() => readdir(join(vessel.home, 'cold', projectId)))).toBeNull();
    expect(await temporaryFiles(vessel.home)).toEqual([]);
  });

  it('an import keeps links that lead out as links, names them, and opens with them', async () => {
    const path = join(scratch, 'links-that-lead-out.zip');
    await writeFile(path, zip({ name: 'up', content: '../../etc/passwd', mode: LINK }, { name: 'absolute', content: '/etc/passwd', mode: LINK }, { name: 'file', content: 'x' }));
    const { projectId, operationId } = await vessel.client.call('projects.import', { path });
    const { log } = await finish(vessel.client, operationId);
    expect(log.join('\n')).toContain('absolute -> /etc/passwd');
    expect(await run(vessel, 'open', projectId)).toMatchObject({ state: 'succeeded' });
    expect(await inside(vessel.client, projectId, ['readlink', 'up', 'absolute'])).toBe('../../etc/passwd\n/etc/passwd\n');
    expect(await run(vessel, 'close', projectId)).toMatchObject({ state: 'succeeded' });
  });

  it('an upload that is refused leaves neither project nor file', async () => {
    const answer = await fetch(`http://127.0.0.1:${vessel.file.port}/api/import?name=evil`, {
      method: 'POST', headers: { authorization: `Bearer ${vessel.file.secret}`, 'content-type': 'application/zip' }, body: new Uint8Array(zip({ name: '../evil', content: 'x' })),
    });
    expect(answer.status).toBe(202);
    const { projectId, operationId } = await answer.json() as { readonly projectId: string; readonly operationId: string };
    expect((await finish(vessel.client, operationId, { allowFailure: true })).operation).toMatchObject({ error: { code: 'ARCHIVE_UNSAFE' } });
    await expect(vessel.client.call('projects.get', { projectId })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await temporaryFiles(vessel.home)).toEqual([]);
  });
});
