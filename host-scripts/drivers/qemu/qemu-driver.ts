import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { VesselError } from '#shared/errors.ts';
import type { Vm } from '#shared/host-protocol.ts';
import type { HostPaths } from '../../paths.ts';
import { requireReserve } from '../../disk/disk-space.ts';
import { ensureIsolation } from '../../network/isolation.ts';
import { newRecord } from '../../records/new-record.ts';
import type { RecordStore } from '../../records/record-store.ts';
import { viewVm } from '../../records/vm-view.ts';
import type { KnownEnd } from '../../records/vm-view.ts';
import { templateKeeper } from '../../templates/template-keeper.ts';
import type { Template, TemplateStore } from '../../templates/template-store.ts';
import type { DriverWithAbilities, VmSpec, WorkContext } from '../driver.ts';
import { logTail } from '../log-tail.ts';
import { memoryMeter } from '../memory-meter.ts';
import { endVmProcesses, removeVm } from '../remove-vm.ts';
import type { Recognition } from '../remove-vm.ts';
import { buildTemplate, sweepInterruptedBuilds } from './build-template.ts';
import type { QemuRuntime } from './qemu-runtime.ts';
import { qemuRuntime, requireRunUser } from './qemu-runtime.ts';
import { hibernateMachine } from './hibernate.ts';
import { continueMachine, resumeMachine } from './resume.ts';
import { sleepAbility } from '../sleep-ability.ts';
import { pauseAbility } from './pause.ts';
import { socketDirFor } from './socket-dir.ts';
import type { StandbyKeeper } from './standby.ts';
import { VM_FILES, introduce, startClone, startCold } from './start-machine.ts';
import type { StartGiven } from './start-machine.ts';

/** A clone that does not answer by then will not: the cold boot gets the rest of the time. In emulation a clone answers in 0.3 s. */
const CLONE_DEADLINE_MS = 45_000;
const EXIT_NEWS_MS = 100;

export type QemuDriverOptions = {
  readonly paths: HostPaths;
  readonly isRoot: boolean;
  readonly records: RecordStore;
  readonly templates: TemplateStore;
  /** Told when a start had to boot cold for want of a template, so that one can be made in the background. */
  readonly templateWanted: (tier: VmSpec['tier']) => void;
  /** A clone that waits to be somebody; null where none is kept. */
  readonly standby: StandbyKeeper | null;
};

/** How the processes of a machine in that folder are known. */
export const qemuRecognition = (paths: HostPaths, directory: string): Recognition => ({ socketDir: socketDirFor(paths.run, directory), programs: /^(?:qemu-system|passt)/, byWorkingFolder: false });

/** QEMU `microvm` machines: clones of frozen templates, or cold boots; user-space network; no rights at all for the hypervisor. */
export function qemuDriver(options: QemuDriverOptions): DriverWithAbilities {
  const { paths, records, templates } = options;
  const ends = new Map<string, KnownEnd>();
  const prepared = new Map<string, { readonly runtime: QemuRuntime; readonly template: Template | null }>();
  const isolate = async (runtime: QemuRuntime): Promise<void> => {
    if (runtime.user !== null) await ensureIsolation(runtime.user);
  };
  const recognition = async (id: string): Promise<Recognition> => ({ ...qemuRecognition(paths, records.directory(id)), ...await adoptedSockets(id) });
  /** A machine that was kept ready has its sockets where they were made. */
  const adoptedSockets = async (id: string): Promise<Pick<Recognition, 'socketDir'> | null> => {
    const socketDir = (await records.read(id))?.record?.socketDir;
    return typeof socketDir === 'string' ? { socketDir } : null;
  };

  async function inspect(id: string): Promise<Vm> {
    const stored = await records.read(id);
    if (stored === null) throw new VesselError('VM_NOT_FOUND', `there is no environment ${id} on this host`);
    return viewVm(stored, 'qemu', ends.get(id) ?? 'unknown');
  }

  async function stop(id: string): Promise<void> {
    const stored = await records.read(id);
    if (stored !== null) await endVmProcesses(stored, await recognition(id));
  }

  async function create(spec: VmSpec, context: WorkContext): Promise<void> {
    await requireReserve(paths.vms, 'No environment can be started');
    const runtime = await qemuRuntime(paths, options.isRoot, 'start', context.signal);
    const found = spec.mode === 'cold' ? null : await templates.lookup(runtime.templateKey(spec.tier));
    if (spec.mode === 'clone' && found?.template == null) throw new VesselError('TEMPLATE_MISSING', `no usable template for ${spec.tier}: ${found?.why ?? ''}`);
    await records.create(await newRecord({ id: spec.id, driver: 'qemu', tier: spec.tier, imageKey: runtime.boot.image.key, socketDir: (await recognition(spec.id)).socketDir }));
    context.stage('record');
    ends.delete(spec.id);
    prepared.set(spec.id, { runtime, template: found?.template ?? null });
  }

  async function start(spec: VmSpec, context: WorkContext): Promise<Vm> {
    const ready = prepared.get(spec.id);
    prepared.delete(spec.id);
    const stored = await records.read(spec.id);
    if (ready === undefined || stored?.record == null || stored.record.token === null) throw new VesselError('VM_NOT_FOUND', `${spec.id} was not created`);
    let record = stored.record;
    const save: StartGiven['save'] = (change) => records.write(record = { ...record, ...change });
    const isolated = isolate(ready.runtime);
    // Awaited before a guest runs; until then a failure must not count as unhandled.
    isolated.catch(() => undefined);
    let killed = (): boolean => false;
    const { socketDir } = await recognition(spec.id);
    const given: StartGiven = {
      spec, record, directory: stored.directory, socketDir, runtime: ready.runtime, token: stored.record.token, isolated, save, startedAt: Date.now(),
      launched: (machine) => {
        killed = machine.killed;
        machine.qmp.onEvent(({ event, data }) => {
          if (event === 'SHUTDOWN' && data['guest'] === true) ends.set(spec.id, 'guest-shutdown');
        });
      },
    };
    const cloned = ready.template !== null && (await adoptStandby(given, ready.template, context)
      || await cloneOrGiveUp({ ...given, spec: { ...spec, deadlineMs: Math.min(spec.deadlineMs, CLONE_DEADLINE_MS) } }, ready.template, context, () => killed()));
    if (!cloned) await startCold(given, context);
    await save({ phase: 'running', stage: 'ready', startKind: cloned ? 'clone' : 'cold', templateKey: cloned ? ready.template?.meta.key ?? null : null, startedAt: Date.now() });
    if (!cloned && spec.mode === 'auto') options.templateWanted(spec.tier);
    return inspect(spec.id);
  }

  /** False when none is ready, or when it died just now: then a fresh clone does it. */
  async function adoptStandby(given: StartGiven, template: Template, context: WorkContext): Promise<boolean> {
    const keeper = given.spec.mode === 'auto' ? options.standby : null;
    const standby = await keeper?.take(template) ?? null;
    if (standby === null || keeper === null) return false;
    context.stage('adopt');
    try {
      await given.isolated;
      await keeper.adopt(standby, given.directory, given.save);
      given.launched(standby.machine);
      await introduce(given, standby.machine, context, { booting: false, bootstrapToken: standby.bootstrapToken });
      return true;
    } catch (error) {
      const failure = VesselError.from(error);
      await keeper.forget(standby);
      if (failure.code === 'CANCELLED' || context.signal.aborted) throw failure;
      context.log('warn', `the environment that was kept ready is of no use (${failure.message}); making one`);
      await stop(given.spec.id);
      await Promise.all(Object.values(VM_FILES).map((name) => rm(join(given.directory, name), { force: true })));
      await given.save({ processes: [], port: null, socketDir: given.socketDir });
      return false;
    }
  }

  /** False when the template turned out useless and a cold boot may take over. */
  async function cloneOrGiveUp(given: StartGiven, template: Template, context: WorkContext, killed: () => boolean): Promise<boolean> {
    try {
      await startClone(given, template, context);
      return true;
    } catch (error) {
      const failure = VesselError.from(error);
      if (given.spec.mode !== 'auto' || failure.code === 'CANCELLED' || failure.code === 'HOST_PERMISSION' || failure.code === 'DISK_FULL' || context.signal.aborted) throw failure;
      // The control channel breaks a moment before the end of the process is told.
      await delay(EXIT_NEWS_MS);
      if (killed()) throw new VesselError('VM_START_FAILED', 'the hypervisor was killed from outside, as a host does that runs out of memory', { cause: failure });
      context.log('warn', `the template is of no use (${failure.message}); booting cold and making a new one`);
      await stop(given.spec.id);
      await templates.discard(template.meta.key);
      await given.save({ processes: [], port: null });
      return false;
    }
  }

  return {
    name: 'qemu', create, start, stop, inspect,
    destroy: async (id) => {
      ends.delete(id);
      prepared.delete(id);
      return removeVm(records, id, await recognition(id));
    },
    list: async () => Promise.all((await records.list()).map((stored) => viewVm(stored, 'qemu', ends.get(stored.id) ?? 'unknown'))),
    async logs(id, lines) {
      await inspect(id);
      const paths = [join(records.directory(id), VM_FILES.hypervisor), join((await recognition(id)).socketDir, 'network.log'), join(records.directory(id), VM_FILES.console)];
      const tails = await Promise.all(paths.map((path) => logTail(path, lines)));
      return tails.flat().slice(-lines);
    },
    abilities: {
      vsock: null,
      memory: memoryMeter(records),
      pause: pauseAbility(records),
      hibernate: sleepAbility({
        records, recognition, inspect, user: () => requireRunUser(options.isRoot),
        machine: { hibernate: hibernateMachine, resume: resumeMachine, goOn: continueMachine },
      }),
      templates: templateKeeper<QemuRuntime>({
        store: templates, runtime: (purpose, signal) => qemuRuntime(paths, options.isRoot, purpose, signal), sweep: (key) => sweepInterruptedBuilds(templates, paths.run, key),
        build: async (runtime, tier, context) => {
          await isolate(runtime);
          await buildTemplate(templates, paths.run, runtime, tier, context);
        },
      }),
    },
  };
}
