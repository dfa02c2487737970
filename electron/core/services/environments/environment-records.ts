import { VesselError, type ErrorShape } from '#shared/errors.ts';
import type { EnvironmentState } from '#shared/project.ts';
import { assertMove } from '../../domain/environment-state.ts';
import type { EnvironmentRecord, ProjectRecord } from '../../ports/store.ts';
import { audit, type ServiceContext } from '../context.ts';

type Patch = Partial<Omit<EnvironmentRecord, 'projectId' | 'state' | 'since'>>;

/** The stored side of environments: legal state changes, each persisted, pushed and audited. */
export class EnvironmentRecords {
  readonly #context: ServiceContext;

  constructor(context: ServiceContext) { this.#context = context; }

  find(projectId: string): EnvironmentRecord | null { return this.#context.store.environments.get(projectId); }
  list(): readonly EnvironmentRecord[] { return this.#context.store.environments.list(); }

  /** Throws NOT_FOUND. */
  project(projectId: string): ProjectRecord {
    const project = this.#context.store.projects.get(projectId);
    if (project === null) throw new VesselError('NOT_FOUND', `There is no project "${projectId}"`, { details: { projectId } });
    return project;
  }

  /** Moves to a state. Throws ILLEGAL_TRANSITION. A move to the present state only patches. */
  move(projectId: string, to: EnvironmentState, patch: Patch = {}): EnvironmentRecord {
    const current = this.find(projectId);
    if (current?.state === to) return this.patch(projectId, patch);
    assertMove(current?.state ?? null, to);
    const now = this.#context.runtime.now();
    const base: EnvironmentRecord = current !== null && to !== 'requested' ? current : {
      projectId, hostId: this.project(projectId).hostId, state: to, since: now, startedAt: null, lastActivityAt: null, dirty: false, baseRev: null, startKind: null, error: null, savedCounter: null,
    };
    const next: EnvironmentRecord = { ...base, ...patch, state: to, since: now };
    this.#context.store.environments.put(next);
    audit(this.#context, { kind: `environment.${to}`, projectId, hostId: next.hostId, text: `Environment ${to}`, data: patch.error === undefined || patch.error === null ? {} : { code: patch.error.code } });
    this.#context.feed.project(projectId);
    return next;
  }

  /** Changes facts without changing the state. Throws VM_NOT_FOUND when there is no environment. */
  patch(projectId: string, patch: Patch): EnvironmentRecord {
    const current = this.find(projectId);
    if (current === null) throw new VesselError('VM_NOT_FOUND', 'This project has no environment', { details: { projectId } });
    const next = { ...current, ...patch };
    this.#context.store.environments.put(next);
    this.#context.feed.project(projectId);
    return next;
  }

  /** Moves to `error` from wherever that is legal, else only notes the error. */
  fail(projectId: string, error: ErrorShape): void {
    const state = this.find(projectId)?.state;
    if (state === undefined) return;
    if (state === 'destroyed' || state === 'error') this.patch(projectId, { error });
    else this.move(projectId, 'error', { error });
  }
}
