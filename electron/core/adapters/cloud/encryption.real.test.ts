import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { allCalls, type CallInput, type CallName, type CallOutput, type Handlers } from '#shared/contract.ts';
import { makeTieredColdStore } from '../cold-tiered/cold-store.ts';
import { startS3Double, type S3Double } from '../cold-s3/testing/s3-double.ts';
import { startStack, type Stack } from '../cold-supabase/testing/stack.ts';
import { Cloud } from '../../services/cloud/cloud.ts';
import { cloudHandlers } from '../../services/cloud/handlers.ts';
import { checkStore, mirrorSource } from '../../services/fsck.ts';
import { makeWorld, type World } from '../../testing/world.ts';
import { FileSecretStore } from '../secrets/file-secret-store.ts';
import { makeCloudConnector } from './connector.ts';

/** The calls as a door makes them, over the services as they are wired. */
const PASSWORD = 'correct horse battery';
let stack: Stack;
let s3: S3Double;
beforeAll(async () => { stack = await startStack(); s3 = await startS3Double(); });
afterAll(async () => { await s3.stop(); await stack.stop(); });

let world: World;
let cloud: Cloud;
let home: string;
let email: string;
const logged: string[] = [];
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'vessel-encryption-'));
  email = `u${crypto.randomUUID()}@example.com`;
  await begin(await makeWorld({ clock: { now: Date.now() } }));
});
afterEach(async () => { stack.faults.clear(); await world.context.operations.close(); await cloud.stop(); await world.dispose(); rmSync(home, { recursive: true, force: true }); });

async function begin(made: World): Promise<void> {
  world = made;
  Object.assign(world.context.runtime, { log: (line: string) => logged.push(line) });
  Object.assign(world.cold, makeTieredColdStore({ ...world.cold }, (id) => cloud.archivesOf(id), join(home, 'down')));
  cloud = new Cloud(world.context, makeCloudConnector({ home, secrets: new FileSecretStore(join(home, 'cloud', 'secrets.json')) }));
  cloud.start();
  await cloud.whenReady();
}
const restart = async (): Promise<void> => { await cloud.stop(); await begin(await world.reborn()); };
function call<N extends CallName>(name: N, input: CallInput<N>): Promise<CallOutput<N>> {
  const handlers = cloudHandlers(cloud, world.history) as Partial<Handlers['calls']>;
  const handler = handlers[name] as (parsed: unknown, context: { signal: AbortSignal }) => Promise<CallOutput<N>>;
  // As the door does: what does not fit the contract does not leave.
  return Promise.resolve().then(async () => allCalls[name].output.parse(await handler(allCalls[name].input.parse(input), { signal: new AbortController().signal })) as CallOutput<N>);
}
const code = (name: string): unknown => expect.objectContaining({ code: name });
const ended = async ({ operationId }: { readonly operationId: string | null }): Promise<unknown> => { const { state, error } = await world.context.operations.settled(operationId ?? ''); return error ?? state; };
const signedIn = async (): Promise<void> => {
  await call('account.configure', { project: { url: stack.url, publishableKey: stack.publishableKey } });
  await call('account.signUp', { email, password: PASSWORD });
};
const bucket = (): Promise<unknown> => call('account.configureBucket', { bucket: { endpoint: s3.endpoint, region: s3.region, bucket: s3.bucket, prefix: `${crypto.randomUUID()}/`, accessKeyId: s3.accessKeyId, secretAccessKey: s3.secretAccessKey } });
const create = (name: string): ReturnType<World['projects']['create']> => world.projects.create({ name, template: 'blank', hostId: 'local', settings: {} });
async function turnOn(): Promise<string> {
  const { keyId, phrase, ask } = await call('encryption.begin', {});
  const words = (phrase ?? '').split(' ');
  expect(await ended(await call('encryption.turnOn', { keyId, words: ask.map((place) => words[place - 1] ?? '') }))).toBe('succeeded');
  return phrase ?? '';
}
const sealedRows = async (): Promise<readonly unknown[]> => (await stack.cluster.pool.query('select name, settings->>\'sealed\' is not null as sealed from projects where user_id = $1', [cloud.user?.userId])).rows;

it('needs a cloud, says how things stand, and holds one key for all clouds of this computer', async () => {
  expect(await call('encryption.status', {})).toMatchObject({ state: 'unavailable', stores: [] });
  await expect(call('encryption.begin', {})).rejects.toThrow(code('CLOUD_NOT_CONFIGURED'));
  await signedIn();
  expect(await call('encryption.status', {})).toMatchObject({ state: 'off', stores: [{ store: 'supabase', state: 'off', keyId: null }] });
  await turnOn();
  await bucket();
  expect(await call('encryption.status', {})).toMatchObject({ state: 'on', stores: [{ state: 'on' }, { store: 's3', state: 'off' }] });
  expect(await call('encryption.begin', {})).toMatchObject({ phrase: null });
  await turnOn();
  const { stores } = await call('encryption.status', {});
  expect(stores.map(({ state }) => state)).toEqual(['on', 'on']);
  expect(stores[0]?.keyId).toBe(stores[1]?.keyId);
});

it('keeps key and phrase in the SecretStore only', async () => {
  await signedIn();
  const { id } = await create('Shop');
  const phrase = await turnOn();
  await call('sync.now', {});
  const key = (JSON.parse(readFileSync(join(home, 'cloud', 'secrets.json'), 'utf8')) as { readonly secrets: Record<string, string> }).secrets;
  const secret = Object.entries(key).find(([name]) => name.startsWith('archive-key:'))?.[1] ?? '';
  expect(Buffer.from(secret, 'base64')).toHaveLength(32);
  const words = phrase.split(' ').slice(0, 4).join(' ');
  const told = [JSON.stringify(world.context.store.events.list({ limit: 100 })), JSON.stringify(world.context.operations.list({ limit: 100 })), JSON.stringify(world.context.store.sync.list()), logged.join('\n'), JSON.stringify(await call('encryption.status', {}))];
  for (const name of ['encryption:work', 'encryption:supabase', `sealed:${id}`]) told.push(world.context.store.sync.facts.get(name) ?? '');
  for (const text of told) for (const hidden of [secret, words, Buffer.from(secret, 'base64').toString('hex')]) expect(text).not.toContain(hidden);
});

it('goes on by itself after a restart in the middle, and waits for a person after a cancel', async () => {
  await signedIn();
  await create('One');
  await create('Two');
  await call('sync.now', {});
  Object.assign(world.context.runtime, { fault: (point: string) => { if (point === 'encrypt.verified') throw new Error('died here'); } });
  const { keyId, phrase, ask } = await call('encryption.begin', {});
  const words = (phrase ?? '').split(' ');
  expect(await ended(await call('encryption.turnOn', { keyId, words: ask.map((place) => words[place - 1] ?? '') }))).toMatchObject({ code: 'INTERNAL' });
  await restart();
  const { operationId } = await call('encryption.status', {});
  expect(await ended({ operationId })).toBe('succeeded');
  expect(await call('encryption.status', {})).toMatchObject({ state: 'on', unfinished: null });
  expect(await sealedRows()).toEqual([{ name: 'encrypted', sealed: true }, { name: 'encrypted', sealed: true }]);

  let cancelled = '';
  Object.assign(world.context.runtime, { fault: (point: string) => { if (point === 'encrypt.recorded' && cancelled !== '') world.context.operations.cancel(cancelled); } });
  const off = await call('encryption.turnOff', { decrypt: true });
  cancelled = off.operationId ?? '';
  expect(await ended(off)).toMatchObject({ code: 'CANCELLED' });
  await restart();
  expect(await call('encryption.status', {})).toMatchObject({ unfinished: 'decrypt', operationId: null });
  expect(await ended(await call('encryption.resume', {}))).toBe('succeeded');
  expect(await sealedRows()).toEqual([{ name: 'One', sealed: false }, { name: 'Two', sealed: false }]);
  await expect(call('encryption.resume', {})).rejects.toThrow(code('NOT_FOUND'));
});

it('lets an encrypted project move between clouds and home, be exported, checked and repaired as any other', async () => {
  await signedIn();
  await bucket();
  const { id, head } = await create('Shop');
  await turnOn();
  await call('sync.now', {});
  const path = world.cold.localPath(id, head?.sha256 ?? '') ?? '';
  rmSync(path);
  const report = checkStore({ context: world.context, sources: [mirrorSource('its copy in the cloud', (projectId) => cloud.archivesOf(projectId))] }, id, true, { copies: true });
  expect((await report.done).result).toMatchObject({ sound: true });
  expect(readFileSync(path).subarray(0, 2).toString()).toBe('PK');
  rmSync(path);
  expect(await ended(await call('projects.moveToStore', { projectId: id, store: 's3' }))).toBe('succeeded');
  const [name, object] = [...s3.objects].find(([key]) => key.includes(`projects/${id}/`)) ?? [];
  expect(object?.toString('latin1')).toMatch(/^age-encryption\.org\/v1\n/);
  expect(name).not.toContain(head?.sha256);
  const damaged = Buffer.from(object ?? '');
  damaged.writeUInt8(damaged.readUInt8(damaged.length - 40) ^ 1, damaged.length - 40);
  // It is taken up again from the cloud first: what is repaired there comes from here.
  expect((await checkStore({ context: world.context, sources: [mirrorSource('its copy in the cloud', (projectId) => cloud.archivesOf(projectId))] }, id, true, { copies: true }).done).result).toMatchObject({ sound: true });
  s3.objects.set(name ?? '', damaged);
  const copies = async (): Promise<unknown> => (await checkStore({ context: world.context, sources: [], clouds: () => cloud.reachable() }, id, true, { copies: true }).done).result;
  expect(await copies()).toMatchObject({ sound: true, findings: [{ problem: 'damaged', outcome: 'repaired' }] });
  expect(s3.objects.get(name ?? '')).toEqual(object);
  expect(await copies()).toMatchObject({ sound: true, findings: [] });
  rmSync(path);
  expect(await ended(await call('projects.moveToStore', { projectId: id, store: 'local' }))).toBe('succeeded');
  expect(await world.history.verify(id, undefined)).toMatchObject({ ok: true });
  await call('projects.exportAll', { path: join(home, 'all') });
  expect(readdirSync(join(home, 'all', id)).sort()).toEqual(['project.json', `${id}-r1.zip`]);
  expect(readFileSync(join(home, 'all', id, `${id}-r1.zip`)).subarray(0, 2).toString()).toBe('PK');
});

it('is forgotten with the data of the account, and never mixed up with another account', async () => {
  await signedIn();
  await create('Shop');
  await turnOn();
  await call('sync.now', {});
  expect(await call('account.deleteData', { confirm: email })).toMatchObject({ projects: 1, objects: 1 });
  expect(await call('encryption.status', {})).toMatchObject({ state: 'off', stores: [{ keyId: null }] });
  await turnOn();
  await call('account.signOut', {});
  email = `o${crypto.randomUUID()}@example.com`;
  await call('account.signUp', { email, password: PASSWORD });
  expect(await call('encryption.status', {})).toMatchObject({ state: 'off', unfinished: null, operationId: null });
  await call('account.setDefaultStore', { store: 'supabase' });
  await create('Plain');
  expect(await call('sync.now', {})).toMatchObject({ pending: 0, error: null });
  expect(await sealedRows()).toContainEqual({ name: 'Plain', sealed: false });
});

it('stays on after another computer removed the data of the account, until a person says otherwise', async () => {
  await signedIn();
  const { id } = await create('Shop');
  const phrase = await turnOn();
  await call('sync.now', {});
  // As `account delete-data` leaves things.
  for (const table of ['projects', 'encryption']) await stack.cluster.pool.query(`delete from ${table} where user_id = $1`, [cloud.user?.userId]);
  await restart();
  await create('Other');
  expect(await call('sync.now', {})).toMatchObject({ error: { code: 'ENCRYPTION_CHANGED' } });
  expect(await sealedRows()).toEqual([]);
  expect(await call('account.status', {})).toMatchObject({ state: 'failing', error: { code: 'ENCRYPTION_CHANGED' } });
  expect(await call('encryption.status', {})).toMatchObject({ state: 'changed' });
  const { keyId, phrase: second } = await call('encryption.begin', {});
  expect(second).toBeNull();
  expect(await ended(await call('encryption.turnOn', { keyId }))).toBe('succeeded');
  await call('encryption.unlock', { phrase });
  expect(await ended(await call('projects.moveToStore', { projectId: id, store: 'supabase' }))).toBe('succeeded');
  expect(await sealedRows()).toEqual([{ name: 'encrypted', sealed: true }, { name: 'encrypted', sealed: true }]);
  // Another account of this computer is asked nothing, and finds its own as it was.
  await call('account.signOut', {});
  await call('account.signIn', { email, password: PASSWORD });
  expect(await call('encryption.status', {})).toMatchObject({ state: 'on' });
});

it('shows what it knew when the network is gone', async () => {
  await signedIn();
  await turnOn();
  await call('encryption.status', {});
  await restart();
  stack.faults.set(() => ({ kind: 'cut-upload', afterBytes: 0 }));
  expect(await call('encryption.status', {})).toMatchObject({ state: 'on', stores: [{ state: 'on' }] });
  stack.faults.clear();
  expect(await call('sync.now', {})).toMatchObject({ error: null });
});
