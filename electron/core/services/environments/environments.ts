import { VesselError } from '#shared/errors.ts';
import type { StreamItem } from '#shared/contract.ts';
import type { DiskSpace, Vm } from '#shared/host-protocol.ts';
import type { RouteTable } from '../../ports/gateway.ts';
import type { GuestExecRequest } from '../../ports/guest.ts';
import type { HostLink } from '../../ports/host-link.ts';
import { audit, type ServiceContext } from '../context.ts';
import { Hosts } from '../hosts.ts';
import { Preparation } from '../preparation.ts';
import { requireResting } from '../projects.ts';
import type { StartedOperation } from '../operations/operations.ts';
import { fellAsleep } from './asleep.ts';
import { closeEnvironment } from './close.ts';
import { died } from './death.ts';
import { destroyVm } from './destroy.ts';
import { discardEnvironment } from './discard.ts';
import type { EnvironmentContext } from './environment-context.ts';
import { EnvironmentRecords } from './environment-records.ts';
import { Execs } from './execs.ts';
import { LiveEnvironments } from './live-environments.ts';
import { openEnvironment } from './open.ts';
import { orphansOf, reconcileHost } from './reconcile.ts';
import { rescueOrphan } from './rescue.ts';
import { noteDisk, noteStandstill } from './standstill.ts';
import { isAsleep, requireRunning, saveEnvironment } from './save.ts';
import { watchEnvironments } from './watchman.ts';

/** Activity is asked this often: the idle clock is in minutes, and each question wakes the guest. */
const WATCH_MS = 30_000;

/** Everything that happens to environments. */
export class Environments {
  readonly context: EnvironmentContext;
  readonly execs: Execs;
  readonly #reconciled = new Map<string, Promise<void>>();
  /** Hosts that are being reconciled at this moment. */
  readonly #asking = new Set<string>();
  readonly #unsubscribe = new Map<string, () => void>();
  /** What was last said about each host's space. */
  readonly #disks = new Map<string, DiskSpace['state']>();
  #started = false;
  #timer: ReturnType<typeof setInterval> | null = null;
  #watching: Promise<void> | null = null;

  constructor(base: ServiceContext, links: readonly HostLink[]) {
    const hosts = new Hosts(base, links);
    this.context = { ...base, hosts, preparation: new Preparation(base, hosts), live: new LiveEnvironments(base, hosts), records: new EnvironmentRecords(base) };
    this.execs = new Execs(this.context);
    for (const link of links) this.#subscribe(link);
    hosts.listen({
      added: (link) => { this.#subscribe(link); if (this.#started) this.#greet(link); },
      returned: (link) => {
        // Whoever is asking just now asks over the new line anyway.
        if (!this.#started || this.#asking.has(link.hostId)) return;
        this.#reconciled.delete(link.hostId);
        this.#greet(link);
      },
      removed: (hostId) => { this.#unsubscribe.get(hostId)?.(); this.#unsubscribe.delete(hostId); this.#reconciled.delete(hostId); },
    });
  }

  get routes(): RouteTable { return this.context.live; }

  /** Reconciles in the background and begins to look after what runs. */
  start(): void {
    this.#started = true;
    for (const link of this.context.hosts.links) this.#greet(link);
    this.#timer = setInterval(() => { this.watch().catch((error: unknown) => this.context.runtime.log(`watch: ${VesselError.from(error).message}`)); }, WATCH_MS);
  }

  /** The settings were changed: whether and which environments are kept ready may be different now. */
  settingsChanged(): void {
    for (const link of this.context.hosts.inhabited) this.#keepReady(link).catch((error: unknown) => this.context.runtime.log(`host ${link.hostId}: ${VesselError.from(error).message}`));
  }

  /** One round of the watch: reconcile what is not yet, autosave, idle stops. Rounds never overlap. */
  watch(): Promise<void> {
    this.#watching ??= this.#round().finally(() => { this.#watching = null; });
    return this.#watching;
  }

  /** Resolves once the store and the host agree; a failed attempt is repeated by the next caller. */
  ensureReconciled(hostId: string): Promise<void> {
    const known = this.#reconciled.get(hostId);
    if (known !== undefined) return known;
    this.#asking.add(hostId);
    const attempt = reconcileHost(this.context, this.context.hosts.link(hostId)).catch((error: unknown) => {
      this.#reconciled.delete(hostId);
      throw error;
    }).finally(() => { this.#asking.delete(hostId); });
    this.#reconciled.set(hostId, attempt);
    return attempt;
  }

  /**
   * Resolves once it is known what really runs for a project: right after a start of Vessel the stored state may be
   * a past one. Throws NOT_FOUND, or why the host cannot be asked.
   */
  whenKnown(projectId: string): Promise<void> { return this.ensureReconciled(this.#hostOf(projectId)); }

  /** Where its environment is, or would be. */
  #hostOf(projectId: string): string {
    const { hostId, environment } = this.context.records.project(projectId);
    return environment === null || environment.state === 'destroyed' ? hostId : environment.hostId;
  }

  /** Makes another host the project's own. Throws ILLEGAL_TRANSITION while it runs, BUSY, NOT_FOUND. */
  async move(projectId: string, hostId: string): Promise<void> {
    const { store, runtime, feed, hosts, records } = this.context;
    if (records.project(projectId).hostId === hostId) return;
    const { name } = hosts.record(hostId);
    await this.clearRemains(projectId);
    requireResting(this.context, projectId, records.find(projectId)?.state ?? null);
    store.projects.update(projectId, { hostId }, runtime.now());
    audit(this.context, { kind: 'project.moved', projectId, hostId, text: `Moved to ${name}` });
    feed.project(projectId);
  }

  open(projectId: string): StartedOperation { return openEnvironment(this.context, projectId, (hostId) => this.ensureReconciled(hostId)); }
  save(projectId: string): StartedOperation { if (!isAsleep(this.context, projectId)) requireRunning(this.context, projectId); return saveEnvironment(this.context, projectId, 'save'); }
  close(projectId: string, keepRunning = false): StartedOperation { return closeEnvironment(this.context, projectId, { reason: 'exit', keepRunning }); }
  discard(projectId: string, confirm: string): StartedOperation { return discardEnvironment(this.context, projectId, confirm); }
  rescue(hostId: string, vmId: string): StartedOperation { return rescueOrphan(this.context, hostId, vmId); }

  /** Removes what a machine that died or never started has left on its host; its project is about to be deleted. */
  async clearRemains(projectId: string): Promise<void> {
    if (this.context.records.find(projectId)?.state !== 'error') return;
    const hostId = this.#hostOf(projectId);
    await this.ensureReconciled(hostId);
    const { vms } = await this.context.hosts.link(hostId).request('list', {});
    // One that runs may hold unsaved work: that is for a person to discard or to rescue.
    if (vms.some(({ id, state }) => id === projectId && (state === 'running' || state === 'hibernated'))) throw new VesselError('ILLEGAL_TRANSITION', 'The environment still runs', { hint: 'Open it and Save & Exit, or discard it.', details: { projectId } });
    if (this.context.operations.active(projectId, null) === null && this.context.records.find(projectId)?.state === 'error') await destroyVm(this.context, projectId, null);
  }

  /** Runs a command inside; ends it when the iteration ends. */
  async *exec(projectId: string, request: GuestExecRequest, signal: AbortSignal): AsyncGenerator<StreamItem<'exec.run'>, void> {
    await this.whenKnown(projectId);
    yield* this.execs.run(projectId, request, signal);
  }

  /** Lets go of the running environments without touching them. */
  async dispose(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    for (const unsubscribe of this.#unsubscribe.values()) unsubscribe();
    this.execs.closeAll();
    await this.#watching;
    for (const live of this.context.live.all()) this.context.live.remove(live.projectId);
  }

  #subscribe(link: HostLink): void { this.#unsubscribe.set(link.hostId, link.onVm((vm) => this.#vmChanged(link, vm))); }

  /** Learns what runs on a host that was just met. */
  #greet(link: HostLink): void {
    if (!this.context.hosts.inhabited.includes(link)) return;
    this.ensureReconciled(link.hostId).then(
      () => this.context.hosts.refresh(link.hostId),
      () => this.context.hosts.refresh(link.hostId),
    ).then(() => this.#keepReady(link)).catch((error: unknown) => { if (VesselError.from(error).code !== 'INTERRUPTED') this.context.runtime.log(`host ${link.hostId}: ${String(error)}`); });
  }

  async #round(): Promise<void> {
    // Side by side: a host that does not answer keeps nobody waiting for the others.
    await Promise.all(this.context.hosts.inhabited.map(async (link) => {
      try {
        const wasReconciled = this.#reconciled.has(link.hostId);
        await this.ensureReconciled(link.hostId);
        if (wasReconciled && this.context.live.size > 0) await this.#compare(link);
        await this.#keepReady(link);
      } catch (error) {
        this.context.runtime.log(`host ${link.hostId}: ${VesselError.from(error).message}`);
      }
    }));
    await watchEnvironments(this.context);
  }

  /** Has the host keep one clone ready for the next open, or none, as the settings say. Throws when the host cannot be asked. */
  async #keepReady(link: HostLink): Promise<void> {
    if (this.context.store.hosts.get(link.hostId)?.status !== 'ready') return;
    const { keepReady, defaults } = this.context.store.settings.get();
    await link.request('standby', { tier: keepReady ? defaults.tier : null });
  }

  /** Notices what the host's events did not tell, for instance while its agent was being restarted. */
  async #compare(link: HostLink): Promise<void> {
    const { vms, disk } = await link.request('list', {});
    if (disk !== undefined) {
      noteDisk(this.context, link.hostId, disk, this.#disks.get(link.hostId) ?? 'ok');
      this.#disks.set(link.hostId, disk.state);
    }
    for (const live of this.context.live.all()) {
      if (live.link !== link) continue;
      const vm = vms.find((candidate) => candidate.id === live.projectId);
      if (vm === undefined || vm.state === 'stopped' || vm.state === 'broken' || vm.state === 'hibernated') this.#ended(live.projectId, vm ?? null);
      else if (vm.state === 'running') noteStandstill(this.context, vm);
    }
    this.context.feed.setOrphans(link.hostId, orphansOf(this.context, link, vms));
  }

  #vmChanged(link: HostLink, vm: Vm): void {
    const live = this.context.live.find(vm.id);
    if (live === null || live.link !== link) return;
    if (vm.state === 'stopped' || vm.state === 'broken' || vm.state === 'hibernated') this.#ended(vm.id, vm);
    else if (vm.state === 'running') noteStandstill(this.context, vm);
  }

  #ended(projectId: string, vm: Vm | null): void {
    const record = this.context.records.find(projectId);
    if (record === null || (record.state !== 'running' && record.state !== 'stopping')) return;
    if (vm?.state === 'hibernated') {
      // An operation of ours may be putting it to sleep, and then says so itself.
      if (this.context.operations.active(projectId, null) === null) fellAsleep(this.context, record, vm);
    } else died(this.context, record, vm);
  }
}
