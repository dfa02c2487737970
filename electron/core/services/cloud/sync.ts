import { VesselError, type ErrorShape } from '#shared/errors.ts';
import type { Backends, Device } from '../../ports/cloud.ts';
import type { RemoteBackend, RemoteKind } from '../../ports/remote-store.ts';
import type { OutboxEntry, SyncRecord } from '../../ports/sync-store.ts';
import { audit, type ServiceContext } from '../context.ts';
import type { BeforeUpload } from './secret-warner.ts';
import type { CloudLimits } from './limits.ts';
import { Leases } from './leases.ts';
import { applyRemote } from './pull.ts';
import { push, type PushNeeds } from './push.ts';

/** Waits after the first, second … failure of an entry; the last one repeats. */
const BACKOFF_MS = [1_000, 5_000, 30_000, 120_000, 600_000] as const;
/** What only a person can mend is still tried now and then: a plan grows, a project wakes up. */
const STUCK_MS = 10 * 60_000;
/** Other devices' changes are asked for this often. */
const PULL_MS = 30_000;
/** What was removed elsewhere is not among the changes: all ids are asked for this often. */
const LIST_MS = 10 * 60_000;
/** Changes of one moment go up together. */
const GATHER_MS = 300;
/** Vessel ends within this, whatever the network does. */
const STOP_MS = 3_000;
/** They mean the whole cloud, not one project: nothing else is tried now. */
const GLOBAL: readonly string[] = ['CLOUD_OFFLINE', 'CLOUD_SIGNED_OUT', 'CLOUD_PAUSED', 'CLOUD_RATE_LIMITED', 'ENCRYPTION_CHANGED'];

export type SyncReport = { readonly pushed: number; readonly pulled: number; readonly pending: number; readonly error: ErrorShape | null };
export type SyncOptions = { readonly context: ServiceContext; readonly device: Device; readonly backends: Backends; readonly limits: CloudLimits; readonly beforeUpload?: BeforeUpload | undefined; /** The rows of a back end were read. */ readonly onPulled?: ((kind: RemoteKind) => void) | undefined; /** Why nothing may be uploaded there now. */ readonly heldBack?: ((kind: RemoteKind) => Promise<VesselError | null>) | undefined };

/** Keeps projects and their cloud in step: what is owed goes up in order, what others did comes down. One cycle at a time. */
export class Sync {
  readonly #context: ServiceContext;
  readonly #needs: PushNeeds;
  readonly #backends: Backends;
  readonly #leases: Leases;
  readonly #onPulled: (kind: RemoteKind) => void;
  readonly #heldBack: (kind: RemoteKind) => Promise<VesselError | null>;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | null = null;
  #wakeAt = 0;
  #cycle: Promise<SyncReport> | null = null;
  #unsubscribe: () => void = () => undefined;
  #lastPullAt = 0;
  #problem: ErrorShape | null = null;
  #problems = 0;
  #lastSyncAt: number | null = null;
  /** When it was last looked for what is gone. */
  readonly #listedAt = new Map<RemoteKind, number>();

  constructor({ context, device, backends, limits, beforeUpload, onPulled, heldBack }: SyncOptions) {
    this.#onPulled = onPulled ?? (() => undefined);
    this.#heldBack = heldBack ?? (() => Promise.resolve(null));
    this.#context = context;
    this.#backends = backends;
    this.#needs = { context, device, limits, beforeUpload };
    this.#leases = new Leases(context);
  }

  /** What keeps everything from being in step now, if it is the cloud as a whole. */
  get problem(): ErrorShape | null { return this.#problem; }
  get lastSyncAt(): number | null { return this.#lastSyncAt; }
  get working(): boolean { return this.#cycle !== null; }

  /** Begins to work by itself: soon after each change, and every half minute. */
  start(): void {
    // While the whole cloud is out of reach its backoff decides, not the changes here.
    this.#unsubscribe = this.#context.feed.onProject((projectId) => { if (this.#problem === null && this.#context.store.sync.get(projectId) !== null) this.#wake(GATHER_MS); });
    this.#wake(0);
  }

  async stop(): Promise<void> {
    this.#abort.abort(new VesselError('INTERRUPTED'));
    this.#unsubscribe();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    // A request that hangs is left to its own time-out: what it would have told is asked again at the next start.
    if (this.#cycle !== null) await Promise.race([this.#cycle, new Promise((resolve) => { setTimeout(resolve, STOP_MS).unref(); })]);
  }

  /** Tries everything now, whatever its backoff says, and tells how it went. */
  async now(): Promise<SyncReport> {
    await this.#cycle;
    this.#context.store.sync.outbox.hurry();
    this.#lastPullAt = 0;
    for (const kind of this.#listedAt.keys()) this.#listedAt.set(kind, 0);
    this.#problem = null;
    return this.#run();
  }

  /** Runs `work` while no cycle does: one that had begun to send a project would write again what `work` removes. Throws what `work` throws. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    while (this.#cycle !== null) await this.#cycle;
    const { promise, resolve } = Promise.withResolvers<SyncReport>();
    this.#cycle = promise;
    try {
      return await work();
    } finally {
      this.#cycle = null;
      resolve({ pushed: 0, pulled: 0, pending: this.#context.store.sync.outbox.count(null), error: this.#problem });
      this.#wake(GATHER_MS);
    }
  }

  /** The lease of a project for this computer, whoever had it. */
  async takeOver(projectId: string): Promise<void> {
    const record = this.#context.store.sync.get(projectId);
    const backend = record === null ? null : this.#backends(record.store);
    if (record === null) throw new VesselError('NOT_FOUND', 'This project rests on this computer only', { details: { projectId } });
    if (backend === null) throw new VesselError('CLOUD_SIGNED_OUT');
    await this.#leases.takeOver(backend, record);
  }

  #wake(ms: number): void {
    if (this.#abort.signal.aborted) return;
    const at = Date.now() + ms;
    // A change must not put off what was to happen sooner.
    if (this.#timer !== null && this.#wakeAt <= at) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#wakeAt = at;
    this.#timer = setTimeout(() => { this.#timer = null; void this.#run(); }, ms);
    this.#timer.unref();
  }

  #run(): Promise<SyncReport> {
    this.#cycle ??= this.#work().finally(() => {
      this.#cycle = null;
      this.#wake(this.#pauseMs());
    });
    return this.#cycle;
  }

  /** Until something is due. After a failure of the whole cloud its own backoff holds. */
  #pauseMs(): number {
    const { store, runtime } = this.#context;
    if (this.#problem !== null) return BACKOFF_MS[Math.min(this.#problems, BACKOFF_MS.length) - 1] ?? BACKOFF_MS[0];
    const due = store.sync.nextDueAt();
    return due === null ? PULL_MS : Math.max(GATHER_MS, Math.min(PULL_MS, due - runtime.now()));
  }

  async #work(): Promise<SyncReport> {
    let pushed = 0;
    let pulled = 0;
    const { store, runtime } = this.#context;
    const before = this.#problem?.code;
    let held: VesselError | null = null;
    try {
      for (const kind of ['supabase', 's3'] as const) {
        const backend = this.#backends(kind);
        if (backend === null) continue;
        // What others did first: a save that is based on it then needs no branch.
        pulled += await this.#pull(backend);
        this.#onPulled(kind);
        const why = await this.#heldBack(kind);
        held ??= why;
        if (why === null) pushed += await this.#push(backend);
        if (pushed > 0) pulled += await this.#takeStale(backend);
        await this.#leases.refresh(backend);
        await this.#needs.limits.count(kind, backend.index);
      }
      if (held !== null) throw held;
      this.#problem = null;
      this.#problems = 0;
      this.#lastSyncAt = runtime.now();
    } catch (error) {
      // The store may be closed by now.
      if (this.#abort.signal.aborted) return { pushed, pulled, pending: 0, error: null };
      const known = VesselError.from(error);
      if (known.code !== 'INTERRUPTED' && known.code !== 'CANCELLED') {
        this.#problem = known.toShape();
        this.#problems += 1;
        if (known.code !== before) runtime.log(`sync: ${known.code} ${known.message}`);
      }
    }
    return { pushed, pulled, pending: store.sync.outbox.count(null), error: this.#problem };
  }

  async #push(backend: RemoteBackend): Promise<number> {
    const { store, runtime, feed } = this.#context;
    let pushed = 0;
    for (let entries = this.#due(backend.kind); entries.length > 0; entries = this.#due(backend.kind)) {
      for (const { entry, record } of entries) {
        this.#abort.signal.throwIfAborted();
        try {
          await push(this.#needs, backend, record, entry, this.#abort.signal);
          store.sync.outbox.done(entry.id);
          const fresh = store.sync.get(entry.projectId);
          if (fresh !== null && fresh.error !== null) store.sync.put({ ...fresh, error: null });
          pushed += 1;
        } catch (error) {
          const known = VesselError.from(error);
          if (known.code === 'INTERRUPTED' || known.code === 'CANCELLED' || this.#abort.signal.aborted) throw known;
          const wait = known.retryable ? BACKOFF_MS[Math.min(entry.attempts, BACKOFF_MS.length - 1)] ?? STUCK_MS : STUCK_MS;
          store.sync.outbox.failed(entry.id, known.toShape(), runtime.now() + wait);
          if (GLOBAL.includes(known.code)) throw known;
          const fresh = store.sync.get(entry.projectId);
          if (fresh !== null) store.sync.put({ ...fresh, error: known.toShape() });
          runtime.log(`sync: ${entry.kind} of ${entry.projectId}: ${known.code} ${known.message}`);
          if (entry.attempts === 0) audit(this.#context, { kind: 'sync.failed', projectId: entry.projectId, text: `Not in the cloud yet: ${known.message}`, data: { code: known.code } });
        }
        feed.project(entry.projectId);
      }
    }
    return pushed;
  }

  #due(kind: RemoteKind): readonly { readonly entry: OutboxEntry; readonly record: SyncRecord }[] {
    const { store, runtime } = this.#context;
    return store.sync.outbox.due(runtime.now()).flatMap((entry) => {
      const record = store.sync.get(entry.projectId);
      return record?.store === kind ? [{ entry, record }] : [];
    });
  }

  async #pull(backend: RemoteBackend): Promise<number> {
    const { store, runtime } = this.#context;
    if (runtime.now() - this.#lastPullAt < PULL_MS) return this.#takeStale(backend);
    let pulled = 0;
    // The first time everything is read.
    const listedAt = this.#listedAt.get(backend.kind) ?? null;
    if (listedAt === null) store.sync.facts.put(`cursor:${backend.kind}`, null);
    for (let more = true; more;) {
      const page = await backend.index.changed(store.sync.facts.get(`cursor:${backend.kind}`), this.#abort.signal);
      const archives = await backend.index.archivesOf(page.projects.map(({ id }) => id));
      for (const remote of page.projects) {
        this.#abort.signal.throwIfAborted();
        await applyRemote(this.#context, backend, remote, archives.get(remote.id) ?? []);
        pulled += 1;
      }
      store.sync.facts.put(`cursor:${backend.kind}`, page.cursor);
      more = page.more;
    }
    if (listedAt === null || runtime.now() - listedAt >= LIST_MS) {
      this.#forgetRemoved(backend.kind, await backend.index.ids(this.#abort.signal));
      this.#listedAt.set(backend.kind, runtime.now());
    }
    this.#lastPullAt = runtime.now();
    return pulled + await this.#takeStale(backend);
  }

  /** A project that another computer moved home or deleted for good stays here, on this computer only; with changes still owed it goes up again. */
  #forgetRemoved(kind: RemoteKind, listed: ReadonlySet<string>): void {
    const { store, feed } = this.#context;
    for (const { projectId, store: where } of store.sync.list()) {
      if (where !== kind || listed.has(projectId) || store.sync.outbox.count(projectId) > 0) continue;
      store.sync.forget(projectId);
      audit(this.#context, { kind: 'sync.removed-elsewhere', projectId, text: 'No longer in the cloud: it was removed there from another computer' });
      feed.project(projectId);
    }
  }

  /** Projects that had moved on while somebody worked in them here. */
  async #takeStale(backend: RemoteBackend): Promise<number> {
    let taken = 0;
    for (const { projectId, store: kind, stale } of this.#context.store.sync.list()) {
      if (!stale || kind !== backend.kind) continue;
      const remote = await backend.index.project(projectId);
      if (remote === null) continue;
      await applyRemote(this.#context, backend, remote, null);
      taken += 1;
    }
    return taken;
  }
}
