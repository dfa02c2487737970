import { VesselError } from '#shared/errors.ts';
import type { RemoteBackend, RemoteLease } from '../../ports/remote-store.ts';
import type { SyncRecord } from '../../ports/sync-store.ts';
import { audit, type ServiceContext } from '../context.ts';

/** A holder that is silent for three minutes loses its lease. */
const HEARTBEAT_MS = 60_000;
/** States in which somebody works in a project here. */
const OPEN = ['starting', 'running', 'stopping'];

/** Who has which project open. A lease forbids nothing: it warns, and a save that comes second becomes a branch all the same. */
export class Leases {
  readonly #context: ServiceContext;
  readonly #spokenAt = new Map<string, number>();

  constructor(context: ServiceContext) { this.#context = context; }

  /** Claims what is open here, gives back what no longer is, and learns what is open elsewhere. */
  async refresh(backend: RemoteBackend): Promise<void> {
    const { store, runtime } = this.#context;
    const records = store.sync.list().filter((record) => record.store === backend.kind);
    if (records.length === 0) return;
    for (const record of records) {
      const isOpen = OPEN.includes(store.environments.get(record.projectId)?.state ?? '');
      if (isOpen && record.lease?.mine !== false && runtime.now() - (this.#spokenAt.get(record.projectId) ?? 0) >= HEARTBEAT_MS) await this.#claim(backend, record, false);
      else if (!isOpen && record.lease?.mine === true) await this.#giveBack(backend, record);
    }
    const elsewhere = new Map((await backend.index.leases()).filter(({ mine }) => !mine).map((lease) => [lease.projectId, lease]));
    for (const record of store.sync.list().filter((one) => one.store === backend.kind && one.lease?.mine !== true)) {
      const lease = elsewhere.get(record.projectId);
      if (lease?.device !== record.lease?.device || lease?.since !== record.lease?.since) this.#note(record, lease === undefined ? null : { device: lease.device, since: lease.since, mine: false, sessionId: null });
    }
  }

  async takeOver(backend: RemoteBackend, record: SyncRecord): Promise<void> { await this.#claim(backend, record, true); }

  async #claim(backend: RemoteBackend, record: SyncRecord, takeOver: boolean): Promise<void> {
    let lease: RemoteLease;
    try {
      lease = await backend.index.claim(record.projectId, takeOver);
    } catch (error) {
      // The row comes with the first push; until then nobody else can have it open.
      if (VesselError.from(error).code === 'NOT_FOUND') return;
      throw error;
    }
    this.#spokenAt.set(record.projectId, this.#context.runtime.now());
    if (!lease.held && record.lease?.mine !== false) audit(this.#context, { kind: 'sync.open-elsewhere', projectId: record.projectId, text: `Open on ${lease.device} since ${new Date(lease.since).toISOString().slice(11, 16)}: of two saves the second becomes a branch` });
    this.#note(record, { device: lease.device, since: lease.since, mine: lease.held, sessionId: lease.held ? lease.sessionId : null });
  }

  async #giveBack(backend: RemoteBackend, record: SyncRecord): Promise<void> {
    this.#spokenAt.delete(record.projectId);
    if (record.lease?.sessionId != null) await backend.index.release(record.projectId, record.lease.sessionId);
    this.#note(record, null);
  }

  #note(record: SyncRecord, lease: SyncRecord['lease']): void {
    const { store, feed } = this.#context;
    store.sync.put({ ...(store.sync.get(record.projectId) ?? record), lease });
    feed.project(record.projectId);
  }
}
