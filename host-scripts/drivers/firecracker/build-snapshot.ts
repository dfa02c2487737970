import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import { GUEST_AGENT_PORT } from '#shared/guest-protocol.ts';
import type { Tier } from '#shared/project.ts';
import { makeToken } from '../../guest/introduce.ts';
import { removeNamespace } from '../../network/guest-namespace.ts';
import { endProcess } from '../../system/end-process.ts';
import { isLocked } from '../../system/file-lock.ts';
import { findProcesses, isAlive } from '../../system/process-identity.ts';
import type { RehearsedGuest } from '../../templates/boot-and-rehearse.ts';
import { BUILDING_MARK, TEMPLATE_FILES, templateMeta } from '../../templates/template-store.ts';
import type { TemplateFiles, TemplateStore } from '../../templates/template-store.ts';
import type { WorkContext } from '../driver.ts';
import { logTail } from '../log-tail.ts';
import { socketDirFor } from '../qemu/socket-dir.ts';
import type { FirecrackerRuntime } from './firecracker-runtime.ts';
import { cgroupVersion, copySparse, jailOf, removeCgroups } from './jail.ts';
import type { Programs } from './jail.ts';
import { FC_FILES, boot, bootFiles, launchFirecracker, writeTokenDrive } from './machine.ts';
import { JAILED, createSnapshot, paused } from './requests.ts';

/** A snapshot has a raw disk, and the token's drive because the machine had one. */
export const SNAPSHOT_FILES: TemplateFiles = { ...TEMPLATE_FILES, disk: 'disk.raw', overlay: FC_FILES.token };
/** Clones map the memory and read the rest; nobody but root may change them. */
const READ_ONLY = 0o440;

/** Boots a guest, rehearses it and gives the token that clones will have at first. */
export type Rehearsal = (guest: RehearsedGuest, token: string, ideStaticDir: string, context: WorkContext) => Promise<string>;
export type SnapshotOptions = { readonly store: TemplateStore; readonly run: string; readonly programs: Programs; readonly rehearse: Rehearsal };

/** Ends everything that lives in a folder. */
async function endInside(folder: string): Promise<void> {
  const inside = await findProcesses(({ cwd }) => cwd !== null && `${cwd}/`.startsWith(`${folder}/`));
  await Promise.all(inside.map((identity) => endProcess(identity)));
}

async function clear(folder: string, options: Pick<SnapshotOptions, 'run' | 'programs'>): Promise<void> {
  await endInside(folder);
  await removeNamespace(folder);
  await removeCgroups(jailOf(folder, options.programs), await cgroupVersion());
  await rm(socketDirFor(options.run, folder), { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
}

/** Ends the machines of interrupted builds and removes what they left; folders that somebody else builds are left alone. */
export async function sweepSnapshotBuilds(options: SnapshotOptions, own: string | null): Promise<void> {
  for (const folder of await options.store.leftovers()) {
    const key = basename(folder).split('.')[0] ?? '';
    if (key === own || !await isLocked(options.store.lockPath(key))) await clear(folder, options);
  }
}

/** Boots a machine, waits until its IDE serves, freezes it and publishes memory, state and disk under their key. Call only while holding the build's lock. */
export async function buildSnapshot(options: SnapshotOptions, runtime: FirecrackerRuntime, tier: Tier, context: WorkContext): Promise<void> {
  const { store, run, programs } = options;
  const { user } = runtime;
  const startedAt = Date.now();
  const key = runtime.templateKey(tier);
  const folder = store.directory(`${key}${BUILDING_MARK}${randomBytes(4).toString('hex')}`);
  const token = makeToken();
  const at = (name: string): string => join(folder, name);
  try {
    await mkdir(folder, { recursive: true, mode: 0o711 });
    await copySparse(runtime.boot.dataDisk.path, at(FC_FILES.data));
    await chown(at(FC_FILES.data), user.uid, user.gid);
    await writeTokenDrive(at(FC_FILES.token), token, user);
    const machine = await launchFirecracker({ directory: folder, socketDir: socketDirFor(run, folder), programs, user, agentPort: GUEST_AGENT_PORT }, bootFiles(runtime, folder), context, () => Promise.resolve());
    context.stage('boot');
    await boot(machine, tier, runtime.boot.image.commandLine);
    const guest = { address: machine.network, hypervisor: machine.hypervisor, alive: () => isAlive(machine.hypervisor) };
    const bootstrapToken = await options.rehearse(guest, token, runtime.boot.image.ideStaticDir, context);
    context.stage('freeze');
    await machine.api.patch('/vm', paused);
    await machine.api.put(createSnapshot.path, createSnapshot.body);
    await endProcess(machine.hypervisor);
    // Before the folder gets its name: by the old one nobody would be found any more.
    await endInside(folder);
    for (const [jailed, name] of [[JAILED.memory, store.files.memory], [JAILED.state, store.files.state]] as const) await rename(join(machine.jail.root, jailed), at(name));
    await rename(at(FC_FILES.data), at(store.files.disk));
    for (const name of [store.files.memory, store.files.state, store.files.disk]) await chmod(at(name), READ_ONLY);
    for (const name of [store.files.memory, store.files.state]) await chown(at(name), 0, user.gid);
    await rm(at('jail'), { recursive: true, force: true });
    await rm(at(FC_FILES.console), { force: true });
    await store.publish(folder, await templateMeta(store, folder, { key, tier, imageKey: runtime.boot.image.key, bootstrapToken }, startedAt));
  } catch (error) {
    const failure = VesselError.from(error);
    throw VesselError.fromShape({ ...failure.toShape(), message: `the template for ${tier} could not be made: ${failure.message}`, logTail: [...await logTail(at(FC_FILES.console), 30)] });
  } finally {
    await clear(folder, options);
  }
}
