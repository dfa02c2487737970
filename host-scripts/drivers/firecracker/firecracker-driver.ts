import { chown, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import type { Vm } from '#shared/host-protocol.ts';
import { introduceGuest, makeToken } from '../../guest/introduce.ts';
import { GUEST_AGENT_PORT } from '#shared/guest-protocol.ts';
import { reachableResolvers, removeNamespace } from '../../network/guest-namespace.ts';
import type { HostPaths } from '../../paths.ts';
import { newRecord } from '../../records/new-record.ts';
import type { RecordStore } from '../../records/record-store.ts';
import type { VmRecord } from '../../records/vm-record.ts';
import { viewVm } from '../../records/vm-view.ts';
import type { KnownEnd } from '../../records/vm-view.ts';
import { isAlive } from '../../system/process-identity.ts';
import { bootAndRehearse } from '../../templates/boot-and-rehearse.ts';
import { templateKeeper } from '../../templates/template-keeper.ts';
import type { Template, TemplateStore } from '../../templates/template-store.ts';
import type { DriverWithAbilities, VmSpec, WorkContext } from '../driver.ts';
import { logTail } from '../log-tail.ts';
import { memoryMeter } from '../memory-meter.ts';
import { requireRunUser } from '../qemu/qemu-runtime.ts';
import { socketDirFor } from '../qemu/socket-dir.ts';
import { endVmProcesses, removeVm } from '../remove-vm.ts';
import type { Recognition } from '../remove-vm.ts';
import { sleepAbility } from '../sleep-ability.ts';
import { SNAPSHOT_FILES, buildSnapshot, sweepSnapshotBuilds } from './build-snapshot.ts';
import type { Rehearsal } from './build-snapshot.ts';
import { firecrackerRuntime } from './firecracker-runtime.ts';
import type { FirecrackerRuntime } from './firecracker-runtime.ts';
import { cgroupVersion, copySparse, jailOf, removeCgroups } from './jail.ts';
import type { Programs } from './jail.ts';
import { FC_FILES, boot, bootFiles, go, jailedSocket, launchFirecracker, load, writeTokenDrive } from './machine.ts';
import type { FirecrackerMachine } from './machine.ts';
import { AGENT_VSOCK_PORT, JAILED } from './requests.ts';
import { firecrackerSleep } from './sleep.ts';
import { dialVsock } from './vsock.ts';

export type FirecrackerDriverOptions = {
  readonly paths: HostPaths;
  readonly isRoot: boolean;
  readonly records: RecordStore;
  /** With {@link SNAPSHOT_FILES}. */
  readonly templates: TemplateStore;
  readonly programs: Programs;
  readonly templateWanted: (tier: VmSpec['tier']) => void;
  /** What a template lives through before it is frozen; the real rehearsal unless a test has no real IDE. */
  readonly rehearse?: Rehearsal;
};

/** Firecracker microVMs in jails: clones of snapshots, or boots; each in a network namespace of its own. Needs root and KVM. */
export function firecrackerDriver(options: FirecrackerDriverOptions): DriverWithAbilities {
  const { paths, records, templates, programs } = options;
  const ends = new Map<string, KnownEnd>();
  const prepared = new Map<string, { readonly runtime: FirecrackerRuntime; readonly template: Template | null }>();
  const socketDirOf = (id: string): string => socketDirFor(paths.run, records.directory(id));
  // Jailed processes are recognised by the folder they live in: they see no path of the host, so none is in their arguments.
  const recognition = (id: string): Recognition => ({ socketDir: socketDirOf(id), programs: /^(?:firecracker|jailer)/, byWorkingFolder: true });
  const runtime = (purpose: 'start' | 'look'): Promise<FirecrackerRuntime> => firecrackerRuntime(paths, programs, options.isRoot, purpose);
  const snapshots = { store: templates, run: paths.run, programs, rehearse: options.rehearse ?? bootAndRehearse };

  async function inspect(id: string): Promise<Vm> {
    const stored = await records.read(id);
    if (stored === null) throw new VesselError('VM_NOT_FOUND', `there is no environment ${id} on this host`);
    return viewVm(stored, 'firecracker', ends.get(id) ?? 'unknown');
  }

  async function stop(id: string): Promise<void> {
    const stored = await records.read(id);
    if (stored !== null) await endVmProcesses(stored, recognition(id));
  }

  async function create(spec: VmSpec, context: WorkContext): Promise<void> {
    const known = await runtime('start');
    const found = spec.mode === 'cold' ? null : await templates.lookup(known.templateKey(spec.tier));
    if (spec.mode === 'clone' && found?.template == null) throw new VesselError('TEMPLATE_MISSING', `no usable template for ${spec.tier}: ${found?.why ?? ''}`);
    await records.create(await newRecord({ id: spec.id, driver: 'firecracker', tier: spec.tier, imageKey: known.boot.image.key, socketDir: socketDirOf(spec.id) }));
    context.stage('record');
    ends.delete(spec.id);
    prepared.set(spec.id, { runtime: known, template: found?.template ?? null });
  }

  /** Lays out the machine's own files and gives the ones it starts from. */
  async function layOut(directory: string, known: FirecrackerRuntime, template: Template | null, bootstrapToken: string): Promise<Readonly<Record<string, string>>> {
    const { user } = known;
    const at = (name: string): string => join(directory, name);
    await copySparse(template === null ? known.boot.dataDisk.path : join(template.directory, SNAPSHOT_FILES.disk), at(FC_FILES.data));
    await chown(at(FC_FILES.data), user.uid, user.gid);
    if (template === null) {
      await writeTokenDrive(at(FC_FILES.token), bootstrapToken, user);
      return bootFiles(known, directory);
    }
    await copyFile(join(template.directory, SNAPSHOT_FILES.overlay), at(FC_FILES.token));
    await chown(at(FC_FILES.token), user.uid, user.gid);
    return {
      [JAILED.root]: known.boot.image.root, [JAILED.data]: at(FC_FILES.data), [JAILED.token]: at(FC_FILES.token),
      [JAILED.state]: join(template.directory, SNAPSHOT_FILES.state), [JAILED.memory]: join(template.directory, SNAPSHOT_FILES.memory),
    };
  }

  async function attempt(spec: VmSpec, stored: { readonly record: VmRecord; readonly directory: string }, known: FirecrackerRuntime, template: Template | null, context: WorkContext): Promise<void> {
    const { directory } = stored;
    let { record } = stored;
    const { token } = record;
    if (token === null) throw new VesselError('INTERNAL', 'the record has no token');
    const save = (change: Partial<VmRecord>): Promise<void> => records.write(record = { ...record, ...change });
    const startedAt = Date.now();
    const bootstrapToken = template?.meta.bootstrapToken ?? makeToken();
    context.stage('disk');
    const files = await layOut(directory, known, template, bootstrapToken);
    const machine: FirecrackerMachine = await launchFirecracker({ directory, socketDir: socketDirOf(spec.id), programs, user: known.user, agentPort: GUEST_AGENT_PORT }, files, context,
      (identity, network) => save({ processes: [{ ...identity, role: 'hypervisor' }], host: network.host, port: network.port, stage: 'hypervisor' }));
    context.signal.throwIfAborted();
    if (template === null) {
      await boot(machine, spec.tier, known.boot.image.commandLine);
    } else {
      context.stage('restore');
      await load(machine);
      context.stage('resume');
      await go(machine.api);
    }
    await introduceGuest({
      address: machine.network, bootstrapToken, token, nameservers: await reachableResolvers(), spec, booting: template === null, alive: () => isAlive(machine.hypervisor),
    }, context, startedAt);
    // A reboot inside ends the process by itself with success; a killed or crashed one ends otherwise.
    const watch = setInterval(() => { if (machine.exitCode() === 0) ends.set(spec.id, 'guest-shutdown'); if (machine.exitCode() !== null) clearInterval(watch); }, 1_000);
    watch.unref();
    await save({ phase: 'running', stage: 'ready', startKind: template === null ? 'cold' : 'clone', templateKey: template?.meta.key ?? null, startedAt: Date.now() });
  }

  async function start(spec: VmSpec, context: WorkContext): Promise<Vm> {
    const ready = prepared.get(spec.id);
    prepared.delete(spec.id);
    const stored = await records.read(spec.id);
    if (ready === undefined || stored?.record == null) throw new VesselError('VM_NOT_FOUND', `${spec.id} was not created`);
    const given = { record: stored.record, directory: stored.directory };
    try {
      await attempt(spec, given, ready.runtime, ready.template, context);
    } catch (error) {
      const failure = VesselError.from(error);
      const useless = ready.template !== null && spec.mode === 'auto' && failure.code === 'VM_START_FAILED' && !context.signal.aborted;
      if (!useless) throw failure;
      context.log('warn', `the template is of no use (${failure.message}); booting cold and making a new one`);
      await stop(spec.id);
      await templates.discard(ready.template?.meta.key ?? '');
      await attempt(spec, given, ready.runtime, null, context);
      options.templateWanted(spec.tier);
      return inspect(spec.id);
    }
    if (ready.template === null && spec.mode === 'auto') options.templateWanted(spec.tier);
    return inspect(spec.id);
  }

  return {
    name: 'firecracker', create, start, stop, inspect,
    async destroy(id) {
      ends.delete(id);
      prepared.delete(id);
      const directory = records.directory(id);
      if (await records.read(id) !== null) await stop(id);
      await removeNamespace(directory);
      const removed = await removeVm(records, id, recognition(id));
      await removeCgroups(jailOf(directory, programs), await cgroupVersion());
      return removed;
    },
    list: async () => Promise.all((await records.list()).map((stored) => viewVm(stored, 'firecracker', ends.get(stored.id) ?? 'unknown'))),
    async logs(id, lines) {
      await inspect(id);
      return logTail(join(records.directory(id), FC_FILES.console), lines);
    },
    abilities: {
      memory: memoryMeter(records),
      hibernate: sleepAbility({ records, recognition, inspect, user: () => requireRunUser(options.isRoot), machine: firecrackerSleep(programs) }),
      templates: templateKeeper<FirecrackerRuntime>({
        store: templates, runtime: (purpose) => runtime(purpose), sweep: (key) => sweepSnapshotBuilds(snapshots, key),
        build: (known, tier, context) => buildSnapshot(snapshots, known, tier, context),
      }),
      vsock: { dial: (id) => dialVsock(jailedSocket(socketDirOf(id), JAILED.vsock), AGENT_VSOCK_PORT) },
    },
  };
}
