import type { Duplex } from 'node:stream';
import type { Vm } from '#shared/host-protocol.ts';
import type { Tier } from '#shared/project.ts';

export type VmSpec = {
  readonly id: string;
  readonly tier: Tier;
  /** `auto` clones when a valid template exists and boots cold otherwise. */
  readonly mode: 'auto' | 'clone' | 'cold';
  readonly timezone: string;
  /** Extra environment of the guest's IDE, commands and terminals. Values may be secret: never logged. */
  readonly env: Readonly<Record<string, string>>;
  /** Milliseconds from the start until the guest must be ready. */
  readonly deadlineMs: number;
};

export type StageTiming = { readonly stage: string; readonly ms: number };

/** What a running request offers to the code that works for it. */
export type WorkContext = {
  readonly signal: AbortSignal;
  /** Enters a named stage: reported to the caller, measured, written to the record. */
  readonly stage: (name: string) => void;
  readonly log: (level: 'debug' | 'info' | 'warn' | 'error', text: string) => void;
};

/**
 * One way to run VMs. Obligations, checked by `contract.test-helper.ts` for every driver:
 *
 * - `create` writes the VM's record before anything else exists, so that a crash at any later instruction leaves a VM that
 *   `list` shows as broken and `destroy` removes. Throws VM_EXISTS, HOST_NOT_READY, IMAGE_MISSING; with mode `clone` TEMPLATE_MISSING.
 * - `start` resolves once the guest agent answers with its new token and its IDE is ready. On failure or cancel the VM stays as
 *   it is, for its logs; the caller destroys it. Throws VM_START_FAILED, GUEST_TIMEOUT, IDE_NOT_READY, CANCELLED.
 * - `stop` ends the processes; a no-op when none runs. `destroy` stops and removes every trace; resolves to whether there was any.
 * - `inspect` throws VM_NOT_FOUND. `list` never fails because of one broken VM.
 * - VMs survive the end of this process, and another process with the same folders sees the same VMs.
 */
export type VmDriver = {
  readonly name: Vm['driver'];
  create(spec: VmSpec, context: WorkContext): Promise<void>;
  start(spec: VmSpec, context: WorkContext): Promise<Vm>;
  stop(id: string): Promise<void>;
  destroy(id: string): Promise<boolean>;
  inspect(id: string): Promise<Vm>;
  list(): Promise<readonly Vm[]>;
  /** The last lines of the hypervisor's log and the guest's console. */
  logs(id: string, lines: number): Promise<readonly string[]>;
};

/** Optional ability: bytes of memory that one VM really costs the host (proportional set size of its processes). */
export type MemoryMeter = { memoryBytes(id: string): Promise<number> };

/** Optional ability: clones come from frozen templates, which can be made ahead. */
export type TemplateAbility = {
  /** Builds the tier's template unless a valid one exists. Resolves to whether it built one. */
  ensureTemplate(tier: Tier, context: WorkContext): Promise<boolean>;
  templateStates(): Promise<readonly { readonly tier: Tier; readonly state: 'ready' | 'stale' | 'missing' | 'building'; readonly bytes: number; readonly builtAt: number | null }[]>;
};

/**
 * Optional ability: a machine sleeps on the host's disk, its memory freed, and goes on later with the same disk, token and identity, also after
 * the host was restarted. `inspect` calls it `hibernated`.
 *
 * - `hibernate` is a no-op for one that sleeps; when it fails the machine runs on. Throws VM_NOT_FOUND, HIBERNATION_FAILED, DISK_FULL, CANCELLED.
 * - `resume` is a no-op for one that runs; until the guest goes on a failure leaves it asleep. Also takes up what a crash left in between. Throws
 *   VM_NOT_FOUND, RESUME_FAILED, GUEST_TIMEOUT, CANCELLED.
 * - Calls for the same machine wait for each other, also those of other processes.
 */
export type HibernateAbility = {
  hibernate(id: string, context: WorkContext): Promise<Vm>;
  resume(id: string, deadlineMs: number, context: WorkContext): Promise<Vm>;
};

/**
 * Optional ability: a machine stands still for a while, its memory kept. `stop` and `goOn` are no-ops for one that does not run, or that
 * is being put to sleep.
 */
export type PauseAbility = {
  /** The file that grows with what the guest writes. */
  diskPath(id: string): string;
  /** Whether it stands still: paused, or stopped by its hypervisor at a failed write. */
  stands(id: string): Promise<boolean>;
  stop(id: string): Promise<void>;
  /** Lets it go on, a failed write first, and sets its clock. */
  goOn(vm: Vm): Promise<void>;
};

/** Optional ability: the guest's agent is reached without any network. */
export type VsockAbility = {
  /** A stream to the agent. Rejects with GUEST_UNREACHABLE. */
  dial(id: string): Promise<Duplex>;
};

export type DriverWithAbilities = VmDriver & {
  readonly abilities: { readonly memory: MemoryMeter | null; readonly templates: TemplateAbility | null; readonly hibernate: HibernateAbility | null; readonly vsock: VsockAbility | null; readonly pause?: PauseAbility };
};
