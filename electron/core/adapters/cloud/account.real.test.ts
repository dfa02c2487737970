import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { allCalls, type CallInput, type CallName, type CallOutput } from '#shared/contract.ts';
import type { Handlers } from '#shared/contract.ts';
import { makeTieredColdStore } from '../cold-tiered/cold-store.ts';
import { startS3Double, type S3Double } from '../cold-s3/testing/s3-double.ts';
import { startStack, type Stack } from '../cold-supabase/testing/stack.ts';
import { Cloud } from '../../services/cloud/cloud.ts';
import { cloudHandlers } from '../../services/cloud/handlers.ts';
import { makeWorld, type World } from '../../testing/world.ts';
import { FileSecretStore } from '../secrets/file-secret-store.ts';
import { makeCloudConnector } from './connector.ts';

const PASSWORD = 'correct horse battery';
let stack: Stack;
let s3: S3Double;
beforeAll(async () => { stack = await startStack(); s3 = await startS3Double(); });
afterAll(async () => { await stack.stop(); await s3.stop(); });

let world: World;
let cloud: Cloud;
let home: string;
let email: string;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'vessel-account-'));
  email = `u${crypto.randomUUID()}@example.com`;
  await begin(await makeWorld({ clock: { now: Date.now() } }));
});
afterEach(async () => { stack.faults.clear(); stack.limits.maxFileBytes = null; await cloud.stop(); await world.dispose(); rmSync(home, { recursive: true, force: true }); });

async function begin(made: World): Promise<void> {
  world = made;
  Object.assign(world.cold, makeTieredColdStore({ ...world.cold }, (id) => cloud.archivesOf(id), join(home, 'down')));
  cloud = new Cloud(world.context, makeCloudConnector({ home, secrets: new FileSecretStore(join(home, 'cloud', 'secrets.json')) }));
  cloud.start();
  await cloud.whenReady();
}
const restart = async (): Promise<void> => { await cloud.stop(); await begin(await world.reborn()); };
function call<N extends CallName>(name: N, input: CallInput<N>): Promise<CallOutput<N>> {
  const handlers = cloudHandlers(cloud, world.history) as Partial<Handlers['calls']>;
  const handler = handlers[name] as (parsed: unknown, context: { signal: AbortSignal }) => Promise<CallOutput<N>>;
  return Promise.resolve().then(() => handler(allCalls[name].input.parse(input), { signal: new AbortController().signal }));
}
const code = (name: string): unknown => expect.objectContaining({ code: name });
const configure = (): Promise<unknown> => call('account.configure', { project: { url: `${stack.url}/`, publishableKey: stack.publishableKey } });
const signedIn = async (): Promise<void> => { await configure(); await call('account.signUp', { email, password: PASSWORD }); };
const create = (name = 'Shop'): ReturnType<World['projects']['create']> => world.projects.create({ name, template: 'blank', hostId: 'local', settings: {} });
const ended = async ({ operationId }: { readonly operationId: string | null }): Promise<unknown> => {
  for await (const _event of world.context.operations.watch(operationId ?? '', 0, new AbortController().signal)) { /* until it has ended */ }
  const { state, error } = world.context.operations.get(operationId ?? '');
  return error ?? state;
};

describe('an account', () => {
  it('says what it needs, step by step, and knows itself after a restart without a network', async () => {
    expect(await call('account.status', {})).toMatchObject({ state: 'not-configured', url: null, email: null, defaultStore: 'local', plan: { maxFileBytes: 50 * 1024 ** 2 } });
    await expect(call('account.signIn', { email, password: PASSWORD })).rejects.toThrow(code('CLOUD_NOT_CONFIGURED'));
    expect(await configure()).toMatchObject({ state: 'signed-out', url: stack.url });
    expect(await call('account.signUp', { email, password: PASSWORD })).toMatchObject({ confirm: false, status: { state: 'online', email, defaultStore: 'supabase' } });
    expect(statSync(join(home, 'cloud', 'secrets.json')).mode & 0o777).toBe(0o600);
    expect(JSON.stringify([...world.context.store.events.list({ limit: 100 })])).not.toContain('eyJ');
    stack.faults.set(() => ({ kind: 'cut-upload', afterBytes: 0 }));
    const began = Date.now();
    await restart();
    expect(await call('account.status', {})).toMatchObject({ email, url: stack.url });
    expect(Date.now() - began).toBeLessThan(2_000);
    await create();
    expect(await call('sync.now', {})).toMatchObject({ pending: 2, error: { code: 'CLOUD_OFFLINE' } });
    expect(await call('account.status', {})).toMatchObject({ state: 'offline', pending: 2 });
    stack.faults.clear();
    expect(await call('sync.now', {})).toMatchObject({ pending: 0, error: null });
    expect(await call('account.signOut', {})).toMatchObject({ state: 'signed-out', email: null });
    expect(readFileSync(join(home, 'cloud', 'secrets.json'), 'utf8')).not.toContain('accessToken');
  });

  it('refuses a wrong password and an account that exists', async () => {
    await signedIn();
    await expect(call('account.signUp', { email, password: 'another one' })).rejects.toThrow();
    await expect(call('account.signIn', { email, password: 'wrong password' })).rejects.toThrow(code('CLOUD_REFUSED'));
  });

  it('gets a new password with the code of an e-mail', async () => {
    await signedIn();
    await call('account.signOut', {});
    await call('account.resetPassword', { email });
    const pin = /\b(\d{6})\b/.exec(stack.mailTo(email) ?? '')?.[1] ?? '';
    await expect(call('account.finishReset', { email, code: '000000', password: 'a new password' })).rejects.toThrow(code('CLOUD_REFUSED'));
    expect(await call('account.finishReset', { email, code: pin, password: 'a new password' })).toMatchObject({ state: 'online', email });
    await call('account.signOut', {});
    expect(await call('account.signIn', { email, password: 'a new password' })).toMatchObject({ state: 'online' });
  });

  it('does not send one person’s projects to another’s account', async () => {
    await signedIn();
    await call('sync.now', {});
    await call('account.signOut', {});
    const { id } = await create('Mine');
    const other = `o${crypto.randomUUID()}@example.com`;
    const fresh = await fetch(`${stack.url}/auth/v1/signup`, { method: 'POST', headers: { apikey: stack.publishableKey, 'content-type': 'application/json' }, body: JSON.stringify({ email: other, password: PASSWORD }) });
    await fresh.body?.cancel();
    await expect(call('account.signIn', { email: other, password: PASSWORD })).rejects.toThrow(code('CONFLICT'));
    expect(await call('account.status', {})).toMatchObject({ state: 'signed-out' });
    await call('account.signIn', { email: other, password: PASSWORD, leave: true });
    await call('sync.now', {});
    expect(world.projects.get(id)).toMatchObject({ name: 'Mine' });
    expect(world.projects.get(id).sync).toBeUndefined();
    const { rows } = await stack.cluster.pool.query('select 1 from projects where id = $1', [id]);
    expect(rows).toEqual([]);
  });

  it('tells a session that the server ended, a paused project and a full one apart', async () => {
    await signedIn();
    await call('sync.now', {});
    stack.faults.set(({ path }) => path.startsWith('/rest') ? { kind: 'status', status: 540, body: { message: 'Project paused' } } : null);
    await create('A');
    await call('sync.now', {});
    expect(await call('account.status', {})).toMatchObject({ state: 'paused', pending: 2 });
    stack.faults.set(({ path }) => path.startsWith('/rest') ? { kind: 'status', status: 401, body: { message: 'JWT expired' } } : path.endsWith('/token') ? { kind: 'status', status: 400, body: { code: 400, error_code: 'refresh_token_not_found', msg: 'Invalid Refresh Token: Refresh Token Not Found' } } : null);
    await call('sync.now', {});
    expect(await call('account.status', {})).toMatchObject({ state: 'signed-out', pending: 2 });
    stack.faults.clear();
    await call('account.signIn', { email, password: PASSWORD });
    await call('sync.now', {});
    expect(await call('account.status', {})).toMatchObject({ state: 'online', pending: 0 });
    await call('account.setPlan', { maxFileBytes: null, totalBytes: 400 });
    const full = await create('B');
    await call('sync.now', {});
    expect(await call('account.status', {})).toMatchObject({ state: 'over-quota', pending: 1, error: { code: 'CLOUD_OVER_QUOTA', details: { limitBytes: 400 } } });
    expect(world.projects.get(full.id).sync).toMatchObject({ state: 'failed' });
    await call('account.setPlan', { maxFileBytes: null, totalBytes: null });
    await call('sync.now', {});
    expect(await call('account.status', {})).toMatchObject({ state: 'online', pending: 0 });
  });
});

describe('moving, exporting, deleting', () => {
  it('moves a project from this computer to the cloud, on to a bucket, and home again, with its history', async () => {
    const { id } = await create();
    await signedIn();
    expect(world.projects.get(id).sync).toBeUndefined();
    await call('account.configureBucket', { bucket: { endpoint: s3.endpoint, region: s3.region, bucket: s3.bucket, accessKeyId: s3.accessKeyId, secretAccessKey: s3.secretAccessKey } });
    expect(JSON.stringify(await call('account.status', {}))).not.toContain(s3.secretAccessKey);
    expect(await ended(await call('projects.moveToStore', { projectId: id, store: 'supabase' }))).toBe('succeeded');
    expect(world.projects.get(id).sync).toMatchObject({ store: 'supabase', state: 'synced' });
    await world.history.restore(id, 1).done;
    expect(await ended(await call('projects.moveToStore', { projectId: id, store: 's3' }))).toBe('succeeded');
    expect(world.projects.get(id).sync).toMatchObject({ store: 's3', state: 'synced' });
    expect((await stack.cluster.pool.query('select 1 from projects where id = $1', [id])).rows).toEqual([]);
    expect([...s3.objects.keys()].filter((key) => key.includes(id))).toHaveLength(2);
    expect(await ended(await call('projects.moveToStore', { projectId: id, store: 'local' }))).toBe('succeeded');
    expect([...s3.objects.keys()].filter((key) => key.includes(id))).toEqual([]);
    expect(world.projects.get(id).sync).toBeUndefined();
    expect(world.history.list(id).revisions.map(({ rev }) => rev)).toEqual([2, 1]);
    expect(await world.history.verify(id, 1)).toMatchObject({ ok: true });
  });

  it('leaves no row behind where a change was just being sent when the project moved away', async () => {
    await signedIn();
    await call('account.configureBucket', { bucket: { endpoint: s3.endpoint, region: s3.region, bucket: s3.bucket, accessKeyId: s3.accessKeyId, secretAccessKey: s3.secretAccessKey } });
    await call('sync.now', {});
    const { id } = await create();
    // Sending the new project waits in its middle, right before the upload.
    const begun = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const { readBack } = world.cold;
    Object.assign(world.cold, { readBack: async (...args: Parameters<typeof readBack>) => {
      Object.assign(world.cold, { readBack });
      begun.resolve();
      await gate.promise;
      return readBack(...args);
    } });
    const cycle = call('sync.now', {});
    await begun.promise;
    const moving = await call('projects.moveToStore', { projectId: id, store: 's3' });
    await expect.poll(() => world.context.operations.get(moving.operationId).steps.find((step) => step.id === 'leave')?.state).not.toBe('pending');
    gate.resolve();
    await cycle;
    expect(await ended(moving)).toBe('succeeded');
    expect((await stack.cluster.pool.query('select 1 from projects where id = $1', [id])).rows).toEqual([]);
    expect(world.projects.get(id).sync).toMatchObject({ store: 's3', state: 'synced' });
  });

  it('removes nothing from a cloud that cannot give everything back first', async () => {
    await signedIn();
    const { id, head } = await create();
    await call('sync.now', {});
    rmSync(world.cold.localPath(id, head?.sha256 ?? '') ?? '');
    stack.faults.set(({ path }) => path.includes('/object/sign/') ? { kind: 'status', status: 402 } : null);
    expect(await ended(await call('projects.moveToStore', { projectId: id, store: 'local' }))).toMatchObject({ code: expect.stringMatching(/^CLOUD|ARCHIVE/) as unknown });
    stack.faults.clear();
    expect(world.projects.get(id).sync).toMatchObject({ store: 'supabase' });
    expect(await ended(await call('projects.moveToStore', { projectId: id, store: 'local' }))).toBe('succeeded');
    expect(await world.history.verify(id, undefined)).toMatchObject({ ok: true });
  });

  it('exports everything into a fresh folder, and only there', async () => {
    const { id } = await create();
    await create('Blog');
    const path = join(home, 'all');
    expect(await call('projects.exportAll', { path })).toMatchObject({ projects: 2, archives: 2 });
    expect(readdirSync(join(path, id)).sort()).toEqual(['project.json', `${id}-r1.zip`]);
    expect(JSON.parse(readFileSync(join(path, id, 'project.json'), 'utf8'))).toMatchObject({ project: { id, name: 'Shop' }, revisions: [{ rev: 1 }] });
    await expect(call('projects.exportAll', { path })).rejects.toThrow(code('CONFLICT'));
  });

  it('deletes the data of the account, keeps every project here, and wants the address repeated', async () => {
    await signedIn();
    const { id, head } = await create();
    await call('sync.now', {});
    rmSync(world.cold.localPath(id, head?.sha256 ?? '') ?? '');
    await expect(call('account.deleteData', { confirm: 'yes' })).rejects.toThrow(code('BAD_REQUEST'));
    expect(await call('account.deleteData', { confirm: email })).toEqual({ projects: 1, objects: 1 });
    expect((await stack.cluster.pool.query('select 1 from projects where id = $1', [id])).rows).toEqual([]);
    expect((await stack.cluster.pool.query('select 1 from storage.objects where name like $1', [`%${id}%`])).rows).toEqual([]);
    expect(await world.history.verify(id, undefined)).toMatchObject({ ok: true });
    expect(await call('account.status', {})).toMatchObject({ defaultStore: 'local', pending: 0 });
    await create('Next');
    expect(await call('sync.now', {})).toMatchObject({ pushed: 0, pending: 0 });
  });

  it('does not say that it is online while archives cannot be stored there', async () => {
    await signedIn();
    stack.faults.set(({ path }) => (path.startsWith('/storage/') ? { kind: 'status', status: 503, body: 'no healthy upstream' } : null));
    await create();
    await call('sync.now', {});
    expect(await call('account.status', {})).toMatchObject({ state: 'failing', pending: 1, error: { code: 'CLOUD_FAILED' } });
    stack.faults.clear();
    await call('sync.now', {});
    expect(await call('account.status', {})).toMatchObject({ state: 'online', pending: 0, error: null });
  });

  it('takes no secret key for the publishable one', async () => {
    await expect(call('account.configure', { project: { url: stack.url, publishableKey: 'sb_secret_0123456789' } })).rejects.toThrow(code('BAD_REQUEST'));
    expect(await call('account.status', {})).toMatchObject({ state: 'not-configured' });
  });

  it('ends a conflict the way a person chooses', async () => {
    await signedIn();
    const { id } = await create();
    await call('sync.now', {});
    await expect(call('sync.resolve', { projectId: id, keep: 'mine' })).rejects.toThrow(code('NOT_FOUND'));
    const record = world.context.store.sync.get(id);
    if (record === null) throw new Error('no record');
    world.context.store.sync.put({ ...record, conflict: { ours: 1, theirs: 1, branch: 'b', at: 1 } });
    expect(await ended(await call('sync.resolve', { projectId: id, keep: 'mine' }))).toBe('succeeded');
    await call('sync.now', {});
    expect(world.projects.get(id)).toMatchObject({ head: { rev: 2, reason: 'restore' }, sync: { conflict: null, state: 'synced' } });
  });
});
