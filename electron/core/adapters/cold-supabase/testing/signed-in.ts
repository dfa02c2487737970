import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SecretStore } from '../../../ports/secret-store.ts';
import type { RemoteArchives, UploadJournal } from '../../../ports/remote-store.ts';
import { makeSupabaseArchives } from '../archives.ts';
import { SupabaseSession, type SignedIn } from '../session.ts';
import { StorageApi } from '../storage-api.ts';
import type { Stack } from './stack.ts';

/** Secrets in memory. */
export function memorySecrets(): SecretStore {
  const kept = new Map<string, string>();
  return { get: async (name) => kept.get(name) ?? null, put: async (name, value) => { kept.set(name, value); }, remove: async (name) => { kept.delete(name); } };
}

export function memoryJournal(): UploadJournal & { readonly kept: ReadonlyMap<string, string> } {
  const kept = new Map<string, string>();
  return { kept, get: (key) => kept.get(key) ?? null, put: (key, url) => { kept.set(key, url); }, remove: (key) => { kept.delete(key); } };
}

export type TestUser = { readonly session: SupabaseSession; readonly user: SignedIn; readonly archives: RemoteArchives; readonly journal: ReturnType<typeof memoryJournal>; readonly folder: string; dispose(): Promise<void> };

export const PASSWORD = 'correct horse battery';
/** Short waits: faults are provoked by the hundred. */
const FAST = [5, 10, 20, 40];

/** A new user of the stack, signed in, with an archive store of its own. */
export async function signedIn(stack: Pick<Stack, 'url' | 'publishableKey'>, email = `u${crypto.randomUUID()}@example.com`): Promise<TestUser> {
  const session = new SupabaseSession(stack, memorySecrets(), () => Date.now());
  // Another computer of the same person signs in.
  const user = await session.signIn(email, PASSWORD).catch(() => session.signUp(email, PASSWORD));
  if (user === null) throw new Error('the stack wants the address confirmed');
  const folder = await mkdtemp(join(tmpdir(), 'vsl-user-'));
  const journal = memoryJournal();
  const archives = makeSupabaseArchives({ api: new StorageApi(session), journal, spool: join(folder, 'spool'), uploadDelaysMs: FAST, downloadRetries: { delaysMs: FAST } });
  return { session, user, archives, journal, folder, dispose: () => rm(folder, { recursive: true, force: true }) };
}
