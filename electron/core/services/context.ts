import type { AuditEvent } from '#shared/contract.ts';
import type { Archiver, LocalFiles } from '../ports/archiver.ts';
import type { ColdStore } from '../ports/cold-store.ts';
import type { Gateway } from '../ports/gateway.ts';
import type { GuestConnector } from '../ports/guest.ts';
import type { IdeMirror } from '../ports/ide-mirror.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { Store } from '../ports/store.ts';
import { storedLine } from '../domain/stored-text.ts';
import type { Operations } from './operations/operations.ts';
import type { StateFeed } from './state-feed.ts';

/** What every service is built from. */
export type ServiceContext = {
  readonly store: Store;
  readonly cold: ColdStore;
  readonly archiver: Archiver;
  readonly files: LocalFiles;
  readonly runtime: Runtime;
  readonly operations: Operations;
  readonly feed: StateFeed;
  /** Absent where there are no hosts over SSH. */
  readonly ideMirror?: IdeMirror;
  readonly connectGuest: GuestConnector;
  /** The gateway is made after the services, because it asks them for routes. */
  readonly gateway: () => Gateway;
  /** Resolves when the IDE of an environment answers through the gateway; throws IDE_NOT_READY. */
  readonly probeIde: (projectId: string, signal: AbortSignal) => Promise<void>;
};

/** An event says what happened in a sentence; why something failed is with its operation. */
const EVENT_CHARS = 1000;

/** Writes an audit event. */
export function audit({ store, runtime }: Pick<ServiceContext, 'store' | 'runtime'>, event: Pick<AuditEvent, 'kind' | 'text'> & Partial<AuditEvent>): void {
  store.events.add({ at: runtime.now(), projectId: null, hostId: null, operationId: null, data: {}, ...event, text: storedLine(event.text, EVENT_CHARS) });
}
