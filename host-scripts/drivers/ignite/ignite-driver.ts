import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GUEST_AGENT_PORT } from '#shared/guest-protocol.ts';
import { VesselError } from '#shared/errors.ts';
import type { Vm } from '#shared/host-protocol.ts';
import { introduceGuest, makeToken } from '../../guest/introduce.ts';
import { newRecord } from '../../records/new-record.ts';
import type { RecordStore } from '../../records/record-store.ts';
import type { VmRecord } from '../../records/vm-record.ts';
import { viewVm } from '../../records/vm-view.ts';
import { identifyProcess, isAlive } from '../../system/process-identity.ts';
import type { DriverWithAbilities, VmSpec, WorkContext } from '../driver.ts';
import { removeVm } from '../remove-vm.ts';
import type { Recognition } from '../remove-vm.ts';
import type { IgniteVms } from './ignite-vms.ts';

export type IgniteDriverOptions = {
  readonly records: RecordStore;
  readonly vms: IgniteVms;
  /** Immutable tags of guest image and kernel in containerd's namespace `firecracker`. Throws IMAGE_MISSING. */
  readonly images: () => Promise<{ readonly image: string; readonly kernel: string }>;
  /** Told when a VM has another address than before: it changes at every start. */
  readonly moved: (vm: Vm) => Promise<void>;
};

const TOKEN_FILE = 'bootstrap-token';
/** Ignite's own processes are its business: they are ended by asking it. */
const recognition: Recognition = { socketDir: '/nonexistent', programs: /^$/, byWorkingFolder: false };

/** Ignite v0.10 (deprecated upstream): boots only, no templates, no sleep. Every call goes through {@link IgniteVms}. */
export function igniteDriver(options: IgniteDriverOptions): DriverWithAbilities {
  const { records, vms } = options;

  async function stored(id: string): Promise<{ readonly record: VmRecord | null; readonly vm: Vm }> {
    const found = await records.read(id);
    if (found === null) throw new VesselError('VM_NOT_FOUND', `there is no environment ${id} on this host`);
    return { record: found.record, vm: await viewVm(found, 'ignite', 'unknown') };
  }

  /** Also finds a VM that a crash kept from being written down. */
  const uidOf = async (id: string, record: VmRecord | null): Promise<string | null> => record?.hypervisorId ?? await vms.find(id);

  async function inspect(id: string): Promise<Vm> {
    const { record, vm } = await stored(id);
    if (record === null || vm.state !== 'running' || record.hypervisorId === null) return vm;
    const { address } = await vms.inspect(record.hypervisorId);
    if (address === null || address === record.host) return vm;
    await records.write({ ...record, host: address });
    const { vm: moved } = await stored(id);
    await options.moved(moved);
    return moved;
  }

  async function start(spec: VmSpec, context: WorkContext): Promise<Vm> {
    const { record: created } = await stored(spec.id);
    if (created === null || created.token === null) throw new VesselError('VM_NOT_FOUND', `${spec.id} was not created`);
    const startedAt = Date.now();
    let record = created;
    const save = (change: Partial<VmRecord>): Promise<void> => records.write(record = { ...record, ...change });
    context.stage('disk');
    const { image, kernel } = await options.images();
    const bootstrapToken = makeToken();
    const tokenFile = join(records.directory(spec.id), TOKEN_FILE);
    await writeFile(tokenFile, bootstrapToken, { mode: 0o600 });
    context.stage('hypervisor');
    await vms.start({ name: spec.id, image, kernel, tier: spec.tier, tokenFile });
    const uid = await vms.find(spec.id);
    if (uid === null) throw new VesselError('VM_START_FAILED', 'ignite reported success, but knows no VM of that name');
    await save({ hypervisorId: uid, stage: 'hypervisor' });
    context.signal.throwIfAborted();
    const vm = await vms.inspect(uid);
    const pid = await vms.pid(vm);
    const identity = pid === null ? null : await identifyProcess(pid);
    if (identity === null || vm.address === null) throw new VesselError('VM_START_FAILED', 'ignite reported success, but the VM is dead', { logTail: [...await vms.logs(uid)].slice(-20) });
    await save({ processes: [{ ...identity, role: 'hypervisor' }], host: vm.address, port: GUEST_AGENT_PORT });
    await introduceGuest({
      address: { host: vm.address, port: GUEST_AGENT_PORT }, bootstrapToken, token: created.token, nameservers: [], spec, booting: true, alive: () => isAlive(identity),
    }, context, startedAt);
    await save({ phase: 'running', stage: 'ready', startKind: 'cold', startedAt: Date.now() });
    return (await stored(spec.id)).vm;
  }

  return {
    name: 'ignite', start, inspect,
    async create(spec, context) {
      if (spec.mode === 'clone') throw new VesselError('TEMPLATE_MISSING', 'ignite has no templates: its machines always boot');
      const { image } = await options.images();
      await records.create(await newRecord({ id: spec.id, driver: 'ignite', tier: spec.tier, imageKey: image, socketDir: null }));
      context.stage('record');
    },
    async stop(id) {
      const found = await records.read(id);
      if (found === null) return;
      const uid = await uidOf(id, found.record);
      if (uid !== null) await vms.stop(uid);
    },
    async destroy(id) {
      const found = await records.read(id);
      if (found?.record != null) await records.write({ ...found.record, phase: 'stopping' });
      // Also without a record: ignite may know what a crash kept from being written down, or what our folder lost.
      const uid = await uidOf(id, found?.record ?? null);
      if (uid !== null) await vms.remove(uid);
      return await removeVm(records, id, recognition) || uid !== null;
    },
    // From our own records: the watcher looks twice a second, and every call of ignite takes its turn.
    list: async () => Promise.all((await records.list()).map((one) => viewVm(one, 'ignite', 'unknown'))),
    async logs(id, lines) {
      const { record } = await stored(id);
      const uid = await uidOf(id, record);
      return uid === null ? [] : (await vms.logs(uid)).slice(-lines);
    },
    abilities: { memory: null, templates: null, hibernate: null, vsock: null },
  };
}
