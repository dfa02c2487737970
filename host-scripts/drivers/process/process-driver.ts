import { open } from 'node:fs/promises';
import { VesselError } from '#shared/errors.ts';
import type { Vm } from '#shared/host-protocol.ts';
import { introduceGuest, makeToken } from '../../guest/introduce.ts';
import type { RecordStore } from '../../records/record-store.ts';
import { newRecord } from '../../records/new-record.ts';
import { viewVm } from '../../records/vm-view.ts';
import { freePort } from '../../system/free-port.ts';
import { isAlive } from '../../system/process-identity.ts';
import type { DriverWithAbilities, VmSpec, WorkContext } from '../driver.ts';
import { logTail } from '../log-tail.ts';
import { endVmProcesses, removeVm } from '../remove-vm.ts';
import type { Recognition } from '../remove-vm.ts';
import { startDetached } from '../start-process.ts';
import { sleepAbility } from '../sleep-ability.ts';
import { makeGuestFolder } from './guest-folder.ts';
import { processSleep } from './process-sleep.ts';
import type { GuestStarter } from './process-sleep.ts';

/** The variable without which this driver refuses: a "guest" that is a process of this host is not isolated at all. */
export const UNSAFE_SWITCH = 'VESSEL_UNSAFE_PROCESS_DRIVER';

/** The image of a process VM: there is none. */
const IMAGE_KEY = 'process';

/**
 * The guest agent as a plain process of this host, with a stand-in IDE. FOR TESTS ONLY: it makes the tests of everything above
 * a driver fast, and isolates nothing. Same records, crash behaviour and logs as a real machine.
 */
export function processDriver(store: RecordStore): DriverWithAbilities {
  if (process.env[UNSAFE_SWITCH] !== '1') {
    throw new VesselError('HOST_PERMISSION', 'the process driver isolates nothing and is for tests only', { hint: `Set ${UNSAFE_SWITCH}=1 in a test.` });
  }
  const recognition = (id: string): Recognition => ({ socketDir: `${store.directory(id)}/sockets`, programs: /^(?:node|electron|vessel)/i, byWorkingFolder: true });

  async function read(id: string): Promise<Vm> {
    const stored = await store.read(id);
    if (stored === null) throw new VesselError('VM_NOT_FOUND', `there is no environment ${id} on this host`);
    return viewVm(stored, 'process', 'unknown');
  }

  const startGuest: GuestStarter = async (directory, port, token) => {
    const folder = await makeGuestFolder(directory, port, token);
    const log = await open(folder.logPath, 'a', 0o600);
    const { identity } = await startDetached({
      argv: folder.argv, stdio: ['ignore', log.fd, log.fd], user: null, cwd: directory,
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: directory, TMPDIR: directory, LANG: 'C.UTF-8', ELECTRON_RUN_AS_NODE: '1' },
    }).finally(() => log.close());
    return identity;
  };

  async function start(spec: VmSpec, context: WorkContext): Promise<Vm> {
    const stored = await store.read(spec.id);
    if (stored?.record == null) throw new VesselError('VM_NOT_FOUND', `there is no environment ${spec.id} on this host`);
    const startedAt = Date.now();
    const bootstrapToken = makeToken();
    const port = await freePort();
    let record = { ...stored.record, port };
    context.stage('hypervisor');
    const identity = await startGuest(stored.directory, port, bootstrapToken);
    record = { ...record, stage: 'hypervisor', processes: [{ ...identity, role: 'guest-agent' }] };
    await store.write(record);
    if (record.token === null) throw new VesselError('INTERNAL', 'the record has no token');
    await introduceGuest({
      address: { host: '127.0.0.1', port }, bootstrapToken, token: record.token, nameservers: [], spec, booting: true, alive: () => isAlive(identity),
    }, context, startedAt);
    await store.write({ ...record, phase: 'running', stage: 'ready', startKind: spec.mode === 'cold' ? 'cold' : 'clone', startedAt: Date.now() });
    return read(spec.id);
  }

  return {
    name: 'process',
    abilities: { memory: null, templates: null, hibernate: sleepAbility({ records: store, recognition, inspect: read, user: () => Promise.resolve(null), machine: processSleep(startGuest) }), vsock: null },
    async create(spec, context) {
      context.stage('record');
      await store.create(await newRecord({ id: spec.id, driver: 'process', tier: spec.tier, imageKey: IMAGE_KEY, socketDir: null }));
    },
    start,
    async stop(id) {
      const stored = await store.read(id);
      if (stored !== null) await endVmProcesses(stored, recognition(id));
    },
    destroy: (id) => removeVm(store, id, recognition(id)),
    inspect: read,
    async list() {
      return Promise.all((await store.list()).map((stored) => viewVm(stored, 'process', 'unknown')));
    },
    logs: async (id, lines) => {
      await read(id);
      return logTail(`${store.directory(id)}/agent.log`, lines);
    },
  };
}
