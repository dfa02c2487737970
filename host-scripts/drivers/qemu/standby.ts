import { randomBytes } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { VesselError } from '#shared/errors.ts';
import type { HostFacts } from '#shared/host-protocol.ts';
import type { Tier } from '#shared/project.ts';
import { GUEST_NETWORK } from '../../../images/recipe/guest-layout.ts';
import { introduceGuest, makeToken } from '../../guest/introduce.ts';
import { practiseFilling } from '../../guest/rehearse.ts';
import { greetIde } from '../../guest/rehearse-ide.ts';
import { newRecord } from '../../records/new-record.ts';
import type { RecordStore } from '../../records/record-store.ts';
import type { VmRecord } from '../../records/vm-record.ts';
import { memoryAvailableBytes, processorBusyShare } from '../../system/host-load.ts';
import { breakIfAsked } from '../../system/fault.ts';
import { isAlive } from '../../system/process-identity.ts';
import type { Template } from '../../templates/template-store.ts';
import type { WorkContext } from '../driver.ts';
import { removeVm } from '../remove-vm.ts';
import type { Recognition } from '../remove-vm.ts';
import { machineLives } from './launch-machine.ts';
import type { Machine } from './launch-machine.ts';
import type { QemuRuntime } from './qemu-runtime.ts';
import { VM_FILES, restoreClone } from './start-machine.ts';

/** Whoever just opened something has the processors to himself first. */
const REST_MS = 10_000;
const CALM_WINDOW_MS = 2_000;
/** Of all processors. An idle environment takes a fortieth of one in emulation. */
const CALM_SHARE = 0.35;
/** A host with less free memory keeps it for environments that are wanted now. */
const LEAST_FREE_BYTES = 2 * 1024 ** 3;
const DEADLINE_MS = 60_000;

export type StandbyState = HostFacts['standby'];

/** A workbench's first calls take an emulated machine a second or two, and it is left alone for two more; a slow machine's needs some time. */
const GREETING_MS = 15_000;

/** A clone that runs nobody's environment yet: restored, once introduced, paused. */
export type Standby = {
  readonly id: string;
  readonly record: VmRecord;
  readonly machine: Machine;
  readonly template: Template;
  /** What opens its agent until it gets an identity. */
  readonly bootstrapToken: string;
};

export type StandbyOptions = {
  /** Apart from the VMs: nobody's environment, so nobody lists, routes or rescues it. */
  readonly records: RecordStore;
  readonly recognition: (id: string) => Recognition;
  readonly runtime: (signal: AbortSignal) => Promise<QemuRuntime>;
  readonly lookup: (runtime: QemuRuntime, tier: Tier) => Promise<Template | null>;
  readonly isolate: (runtime: QemuRuntime) => Promise<void>;
  /** Makes it at once, however busy the host is. */
  readonly eager: boolean;
  readonly log: (text: string) => void;
};

/**
 * Keeps one clone ready for whoever opens next. A clone is restored in 0.1 s, but its first answers cost an emulated guest 0.3 s more, because
 * the emulator translates their code anew in each process; this one has been through them already. It gets its own identity when it is
 * taken, as every clone does (ADR 32).
 */
export class StandbyKeeper {
  readonly #options: StandbyOptions;
  readonly #ending = new AbortController();
  #wanted: Tier | null = null;
  #state: StandbyState = 'off';
  #ready: Standby | null = null;
  #work: Promise<void> = Promise.resolve();
  #attempt: AbortController | null = null;

  constructor(options: StandbyOptions) {
    this.#options = options;
  }

  get state(): StandbyState { return this.#state; }

  /** Asks for one of that tier, or for none. Returns at once; made when the host has nothing better to do. */
  want(tier: Tier | null): void {
    if (this.#ending.signal.aborted || (tier !== null && tier === this.#wanted && this.#state !== 'off')) return;
    this.#wanted = tier;
    this.#attempt?.abort(new VesselError('CANCELLED'));
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#state = tier === null ? 'off' : 'waiting';
    this.#work = this.#work.then(() => this.#prepare(tier, attempt.signal));
  }

  /** Hands it over, when it is a clone of exactly this template and lives; the next one is then made. The caller adopts or removes it. */
  async take(template: Template): Promise<Standby | null> {
    const standby = this.#ready;
    if (standby === null || standby.template.meta.key !== template.meta.key) return null;
    this.#ready = null;
    this.#again();
    if (await machineLives(standby.machine)) return standby;
    await this.#remove(standby.id);
    return null;
  }

  /** Moves its files and its record to where the VM of this id has them: from here on it is that VM. */
  async adopt(standby: Standby, directory: string, save: (change: Partial<VmRecord>) => Promise<void>): Promise<void> {
    const from = this.#options.records.directory(standby.id);
    for (const name of [VM_FILES.disk, VM_FILES.console, VM_FILES.hypervisor]) await rename(join(from, name), join(directory, name));
    breakIfAsked('adopted');
    const { processes, port, socketDir, uid } = standby.record;
    await save({ processes, port, socketDir, uid, stage: 'hypervisor' });
    await this.#options.records.remove(standby.id);
    await standby.machine.qmp.execute('cont');
  }

  /** Ends one that was taken and turned out useless. */
  async forget(standby: Standby): Promise<void> { await this.#remove(standby.id); }

  /** Ends those that a killed agent left behind; with `all` also those of agents that live. */
  async sweep(all = false): Promise<void> {
    for (const { id, record } of await this.#options.records.list()) {
      if (all || record === null || !await isAlive(record.owner)) await this.#remove(id);
    }
  }

  /** Keeps none from now on; resolves when none is left. */
  async rest(): Promise<void> {
    this.want(null);
    await this.#work;
    await this.sweep(true);
  }

  async close(): Promise<void> {
    this.#ending.abort(new VesselError('CANCELLED', 'the agent ends'));
    this.#attempt?.abort(new VesselError('CANCELLED', 'the agent ends'));
    await this.#work;
    await this.#drop();
    this.#state = 'off';
  }

  #again(): void {
    const wanted = this.#wanted;
    this.#state = 'off';
    this.#wanted = null;
    this.want(wanted);
  }

  async #drop(): Promise<void> {
    const standby = this.#ready;
    this.#ready = null;
    if (standby !== null) await this.#remove(standby.id);
  }

  async #remove(id: string): Promise<void> { await removeVm(this.#options.records, id, this.#options.recognition(id)); }

  async #prepare(tier: Tier | null, signal: AbortSignal): Promise<void> {
    const id = `standby-${randomBytes(6).toString('hex')}`;
    try {
      await this.#drop();
      await this.sweep();
      if (tier === null || !(this.#options.eager || await calm(signal))) return;
      this.#state = 'preparing';
      this.#ready = await this.#make(id, tier, signal);
      this.#state = this.#ready === null ? 'off' : 'ready';
    } catch (error) {
      await this.#remove(id);
      if (signal.aborted) return;
      this.#state = 'off';
      this.#options.log(`no environment is kept ready: ${VesselError.from(error).message}`);
    }
  }

  /** Null where no template of the tier is ready: then an open says why. */
  async #make(id: string, tier: Tier, signal: AbortSignal): Promise<Standby | null> {
    const { records, log } = this.#options;
    const runtime = await this.#options.runtime(signal);
    const template = await this.#options.lookup(runtime, tier);
    if (template === null) return null;
    const { socketDir } = this.#options.recognition(id);
    let record = await newRecord({ id, driver: 'qemu', tier, imageKey: runtime.boot.image.key, socketDir });
    await records.create(record);
    const context: WorkContext = { signal, stage: () => undefined, log: (_level, text) => log(text) };
    const machine = await restoreClone({
      spec: { id, tier, mode: 'clone', timezone: 'UTC', env: {}, deadlineMs: DEADLINE_MS }, record, directory: records.directory(id), socketDir, runtime, token: '',
      isolated: this.#options.isolate(runtime), save: (change) => records.write(record = { ...record, ...change }), launched: () => undefined, startedAt: Date.now(),
    }, template, context);
    const bootstrapToken = makeToken();
    // What waking up is made of, once through: the identity it gets here is replaced by that of whoever takes it.
    const { ide } = await introduceGuest({
      address: { host: '127.0.0.1', port: machine.port }, bootstrapToken: template.meta.bootstrapToken, token: bootstrapToken, nameservers: [GUEST_NETWORK.nameserver],
      spec: { id: 'standby', timezone: 'UTC', env: {}, deadlineMs: DEADLINE_MS }, booting: false, alive: () => machineLives(machine),
    }, context, Date.now());
    // It only makes the first window's editor faster: a machine that could not be greeted is kept all the same.
    const address = { host: '127.0.0.1', port: machine.port };
    const patience = AbortSignal.any([signal, AbortSignal.timeout(GREETING_MS)]);
    const greeted = await practiseFilling(address, bootstrapToken, patience).then(() => greetIde(address, bootstrapToken, ide, patience)).catch((error: unknown) => {
      log(`its first seconds: ${VesselError.from(error).message}`);
      return false;
    });
    if (!greeted) log('it is kept ready without having been greeted as by a workbench');
    await machine.qmp.execute('stop');
    signal.throwIfAborted();
    return { id, record, machine, template, bootstrapToken };
  }
}

/** Waits until the host has had time and memory to spare for a while. False when it was told to stop waiting. */
async function calm(signal: AbortSignal): Promise<boolean> {
  try {
    await delay(REST_MS, undefined, { signal });
    while (await processorBusyShare(CALM_WINDOW_MS, signal) > CALM_SHARE || await memoryAvailableBytes() < LEAST_FREE_BYTES) await delay(CALM_WINDOW_MS, undefined, { signal });
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}
