import type { EncryptionStatus } from '#shared/encryption-contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { ArchiveKeys, BackendEncryption, EncryptionChange } from '../../ports/encryption.ts';
import type { RemoteKind } from '../../ports/remote-store.ts';
import { audit, type ServiceContext } from '../context.ts';
import type { StepContext } from '../operations/definition.ts';
import type { StartedOperation } from '../operations/operations.ts';

type Direction = 'encrypt' | 'decrypt';
type Store = { readonly kind: RemoteKind; readonly encryption: BackendEncryption };
/** Of what this service is made. */
export type EncryptionNeeds = { readonly context: ServiceContext; readonly keys: ArchiveKeys; /** The back ends that can be used now. */ readonly stores: () => readonly Store[]; /** Sends and fetches everything. */ readonly sync: () => Promise<unknown> };

/** Longer than this nobody waits to see a state; the last known one is shown. */
const STATUS_MS = 3_000;
/** Words of the phrase that a person types to show that it was written down. */
const ASKED = 2;
/** Failures that say nothing of other projects. */
const OF_ONE_PROJECT: readonly string[] = ['ARCHIVE_CORRUPT', 'NOT_FOUND', 'CLOUD_FILE_TOO_LARGE', 'CLOUD_FAILED'];
const WORK = 'encryption:work';
const PAUSED = 'encryption:paused';
const stateOf = (kind: RemoteKind): string => `encryption:${kind}`;

/** The encryption of what lies in clouds: whether it is on, its key, and bringing what is there from one form into the other. */
export class Encryption {
  readonly #needs: EncryptionNeeds;
  /** Made and shown, not yet confirmed; kept nowhere else. */
  #pending: { readonly keyId: string; readonly phrase: string; readonly ask: readonly number[] } | null = null;

  constructor(needs: EncryptionNeeds) { this.#needs = needs; }

  /** Goes on with what an earlier process began. */
  start(): void {
    const { facts } = this.#needs.context.store.sync;
    if (facts.get(WORK) !== null && facts.get(PAUSED) === null) this.#continue();
  }
  /** After the rows of a store were read: another device may have left something plain there. */
  looked(kind: RemoteKind): void {
    const store = this.#needs.stores().find((one) => one.kind === kind);
    const { facts } = this.#needs.context.store.sync;
    // What is listed while all of it is being encrypted says nothing.
    if (store?.encryption.takeMixed() !== true || facts.get(PAUSED) !== null || this.#running() !== null) return;
    facts.put(WORK, 'encrypt');
    this.#continue();
  }

  /** Another account is used now. What this computer knows of the one before stays, for when it is used again. */
  forget(): void {
    const { facts } = this.#needs.context.store.sync;
    this.#pending = null;
    for (const { kind, encryption } of this.#needs.stores()) { encryption.forget(); facts.put(stateOf(kind), null); }
    facts.put(WORK, null);
    facts.put(PAUSED, null);
  }
  /** A store was emptied from this computer, by a person: its encryption ended with it. */
  end(kind: RemoteKind): void {
    this.forget();
    this.#needs.stores().find((one) => one.kind === kind)?.encryption.end();
  }

  /** Why nothing may be uploaded to a store now; tells of it once. Null when it may. Throws what the store throws. */
  async heldBack(kind: RemoteKind): Promise<VesselError | null> {
    const { context } = this.#needs;
    const { facts } = context.store.sync;
    const fact = `encryption-told:${kind}`;
    try {
      await this.#needs.stores().find((one) => one.kind === kind)?.encryption.requireUnchanged();
      if (facts.get(fact) !== null) facts.put(fact, null);
      return null;
    } catch (error) {
      const known = VesselError.from(error);
      if (known.code !== 'ENCRYPTION_CHANGED') throw known;
      if (facts.get(fact) === null) {
        facts.put(fact, '1');
        audit(context, { kind: 'encryption.changed', text: known.message, data: { store: kind, ...known.details } });
      }
      return known;
    }
  }

  async status(): Promise<EncryptionStatus> {
    const stores = await Promise.all(this.#needs.stores().map((store) => this.#stateOf(store)));
    const has = (state: string): boolean => stores.some((one) => one.state === state);
    return {
      state: stores.length === 0 ? 'unavailable' : has('changed') ? 'changed' : has('locked') ? 'locked' : has('on') ? 'on' : 'off',
      stores, unfinished: this.#needs.context.store.sync.facts.get(WORK) as Direction | null, operationId: this.#running(),
    };
  }

  async begin(): Promise<{ readonly keyId: string; readonly phrase: string | null; readonly ask: number[] }> {
    const known = await this.#accountKey();
    if (known !== null) return { keyId: known, phrase: null, ask: [] };
    const { keyId, phrase } = this.#needs.keys.make();
    this.#pending = { keyId, phrase, ask: twoOf(phrase.split(' ').length) };
    return { keyId, phrase, ask: [...this.#pending.ask] };
  }

  async turnOn(keyId: string, words: readonly string[]): Promise<StartedOperation> {
    const { context, keys, stores } = this.#needs;
    const pending = this.#pending;
    if (pending?.keyId === keyId) {
      const right = pending.phrase.split(' ');
      if (words.length !== ASKED || pending.ask.some((place, index) => words[index]?.trim().toLowerCase() !== right[place - 1])) throw new VesselError('ENCRYPTION_NOT_CONFIRMED');
      // Kept before anything is told to a store: a key that is named there exists.
      await keys.keep(pending.phrase);
      this.#pending = null;
    } else if (await this.#accountKey() !== keyId) throw new VesselError('BAD_REQUEST', 'This is not the key that was begun with', { hint: 'Begin again.' });
    const changed = (await Promise.all(stores().map(({ encryption }) => encryption.policy()))).some((policy) => policy?.change != null);
    for (const { encryption } of stores()) await encryption.set(keyId, true);
    if (changed) void this.#needs.sync();
    audit(context, { kind: 'encryption.on', text: 'Archives in the cloud are encrypted from now on', data: { keyId } });
    return this.#begin('encrypt');
  }

  async turnOff(decrypt: boolean): Promise<StartedOperation | null> {
    const { context, stores } = this.#needs;
    let changed = false;
    for (const { encryption } of stores()) {
      const policy = await encryption.policy(true);
      if (policy === null) continue;
      changed ||= policy.change !== null;
      await encryption.set(policy.keyId, false);
    }
    context.store.sync.facts.put(WORK, null);
    // What was held back until this was decided.
    if (changed) void this.#needs.sync();
    audit(context, { kind: 'encryption.off', text: decrypt ? 'Archives in the cloud become readable there again' : 'New archives go to the cloud unencrypted from now on' });
    return decrypt ? this.#begin('decrypt') : null;
  }

  async unlock(phrase: string): Promise<EncryptionStatus> {
    const { context: { store, feed }, context, keys, stores, sync } = this.#needs;
    const keyId = keys.keyIdOf(phrase);
    const records = await Promise.all(stores().map(async ({ kind, encryption }) => {
      const policy = await encryption.policy(true);
      const named = [policy?.keyId, policy?.named].filter((id) => id != null);
      // An account may have had two keys: one is enough to read what it encrypted.
      return { kind, wanted: named.includes(keyId) ? named : [...new Set([...named, ...await encryption.keysInUse()])] };
    }));
    if (records.every(({ wanted }) => wanted.length === 0)) throw new VesselError('NOT_FOUND', 'Nothing in the cloud is encrypted', { hint: 'Sign in to the account whose archives are.' });
    const fitting = records.filter(({ wanted }) => wanted.includes(keyId));
    if (fitting.length === 0) throw new VesselError('ENCRYPTION_WRONG_KEY', 'This recovery phrase is of another key', { details: { given: keyId, wanted: records.flatMap(({ wanted }) => wanted) } });
    await keys.keep(phrase);
    for (const { kind } of fitting) store.sync.facts.put(`cursor:${kind}`, null);
    for (const record of store.sync.list()) if (record.error?.code === 'ENCRYPTION_LOCKED') { store.sync.put({ ...record, error: null }); feed.project(record.projectId); }
    store.sync.outbox.hurry();
    audit(context, { kind: 'encryption.unlocked', text: 'The encrypted archives of the cloud can be read on this computer', data: { keyId } });
    void sync();
    return this.status();
  }

  /** Throws NOT_FOUND when nothing was begun. */
  resume(): StartedOperation {
    const direction = this.#needs.context.store.sync.facts.get(WORK) as Direction | null;
    if (direction === null) throw new VesselError('NOT_FOUND', 'Nothing was left unfinished');
    return this.#begin(direction);
  }

  /** The key that this account's archives have already; null when none was ever made. Throws CLOUD_NOT_CONFIGURED, ENCRYPTION_LOCKED. */
  async #accountKey(): Promise<string | null> {
    const stores = this.#needs.stores();
    if (stores.length === 0) throw new VesselError('CLOUD_NOT_CONFIGURED', 'There is no cloud whose archives could be encrypted');
    let found: string | null = null;
    for (const { encryption } of stores) {
      const policy = await encryption.policy(true);
      if (policy === null) continue;
      if (!policy.unlocked) throw new VesselError('ENCRYPTION_LOCKED');
      found = policy.keyId;
    }
    return found;
  }

  #continue(): void {
    try {
      this.resume();
    } catch (error) {
      this.#needs.context.runtime.log(`encryption: ${VesselError.from(error).message}`); // another operation of its kind works already
    }
  }
  #running(): string | null {
    const active = this.#needs.context.operations.active(null, null);
    return active !== null && (active.kind === 'encrypt' || active.kind === 'decrypt') ? active.id : null;
  }

  #begin(direction: Direction): StartedOperation {
    const { context } = this.#needs;
    const { facts } = context.store.sync;
    facts.put(WORK, direction);
    facts.put(PAUSED, null);
    const state = { converted: 0 };
    return context.operations.start({
      kind: direction, title: direction === 'encrypt' ? 'Encrypt what is in the cloud' : 'Decrypt what is in the cloud', projectId: null, hostId: null, cancellable: true,
      request: { call: 'encryption.resume', input: {} }, state, result: ({ converted }) => ({ converted }),
      steps: [{ id: 'convert', title: direction === 'encrypt' ? 'Send each archive encrypted, verify it, remove the readable one' : 'Send each archive readable, verify it, remove the encrypted one', weight: 100, run: (step) => this.#convert(step) }],
      onFailure: async ({ code }) => { if (code === 'CANCELLED') facts.put(PAUSED, '1'); await Promise.resolve(); },
    });
  }

  async #convert(step: StepContext<{ converted: number }>): Promise<string> {
    const { context, stores } = this.#needs;
    const { cold, runtime } = context;
    const work = [];
    for (const { kind, encryption } of stores()) {
      // A store in which it was never turned on has nothing to bring into another form.
      if (await encryption.policy(true) === null) continue;
      for (const found of await encryption.survey(step.signal)) if (found.todo > 0) work.push({ ...found, kind, encryption });
    }
    const total = Math.max(1, work.reduce((sum, { todo }) => sum + todo, 0));
    const failed: { readonly projectId: string; readonly error: VesselError }[] = [];
    for (const { projectId, kind, encryption } of work) {
      step.signal.throwIfAborted();
      step.log(`${projectId} in ${kind}`);
      try {
        await encryption.convert(projectId, {
          signal: step.signal, fault: runtime.fault, localPath: (id, sha256) => cold.localPath(id, sha256),
          onArchive: () => { step.state.converted += 1; step.progress(Math.min(1, step.state.converted / total), `${projectId}: ${step.state.converted} of ${total}`); },
        });
      } catch (error) {
        const known = VesselError.from(error);
        if (step.signal.aborted || !OF_ONE_PROJECT.includes(known.code)) throw known;
        // A damaged archive of one project must not keep the others readable.
        step.log(`${projectId}: ${known.message}`, 'error');
        failed.push({ projectId, error: known });
      }
    }
    const [first] = failed;
    if (first !== undefined) throw new VesselError(first.error.code, `${failed.length === 1 ? `${first.projectId} is` : `${failed.length} projects, ${first.projectId} first, are`} as before: ${first.error.message}`, { hint: first.error.hint, cause: first.error, details: { projects: failed.map(({ projectId }) => projectId) } });
    context.store.sync.facts.put(WORK, null);
    audit(context, { kind: 'encryption.done', operationId: step.operationId, text: `${step.state.converted} archives of ${work.length} projects are in their new form`, data: { converted: step.state.converted } });
    return `${step.state.converted} archives of ${work.length} projects`;
  }

  /** The record of a store: as it is, or as it was when it was last asked. */
  async #stateOf({ kind, encryption }: Store): Promise<EncryptionStatus['stores'][number]> {
    const { context: { store: { sync: { facts } } }, keys } = this.#needs;
    const fact = stateOf(kind);
    let record: { readonly keyId: string; readonly enabled: boolean; readonly change?: EncryptionChange | null } | null | undefined;
    let error: VesselError | null = null;
    try {
      record = await within(encryption.policy());
      facts.put(fact, JSON.stringify(record === null ? null : { keyId: record.keyId, enabled: record.enabled }));
      if (record?.change != null) error = await this.heldBack(kind);
    } catch (failure) {
      error = VesselError.from(failure);
      const kept = facts.get(fact);
      record = kept === null ? undefined : JSON.parse(kept) as typeof record;
    }
    const common = { store: kind, keyId: record?.keyId ?? null, lockedProjects: encryption.locked.size, error: error?.toShape() ?? null };
    if (record === undefined) return { ...common, state: 'unknown' };
    if (record === null) return { ...common, state: 'off' };
    if (record.change != null) return { ...common, state: 'changed' };
    if (!await keys.has(record.keyId)) return { ...common, state: 'locked' };
    return { ...common, state: record.enabled ? 'on' : 'off' };
  }
}

/** Rejects with CLOUD_OFFLINE when it takes too long to be waited for. */
async function within<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | null = null;
  try {
    return await Promise.race([work, new Promise<never>((_resolve, reject) => { timer = setTimeout(() => reject(new VesselError('CLOUD_OFFLINE')), STATUS_MS); })]);
  } finally {
    if (timer !== null) clearTimeout(timer);
  }
}

/** Two different places, counted from 1, in order. */
function twoOf(count: number): readonly number[] {
  const [first = 0, second = 0] = crypto.getRandomValues(new Uint32Array(2));
  const one = first % count;
  const other = (one + 1 + second % (count - 1)) % count;
  return [one + 1, other + 1].sort((a, b) => a - b);
}
