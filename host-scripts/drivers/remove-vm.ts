import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import type { RecordStore, StoredVm } from '../records/record-store.ts';
import { endProcess } from '../system/end-process.ts';
import { breakIfAsked } from '../system/fault.ts';
import { releaseMachineUser } from '../system/machine-user.ts';
import { findProcesses, hostBootId } from '../system/process-identity.ts';
import type { ProcessIdentity, ProcessSight } from '../system/process-identity.ts';

/** How a driver recognises processes that a crash kept it from writing down. */
export type Recognition = {
  /** Folder of the VM's sockets. */
  readonly socketDir: string;
  /** Name of the programs the driver starts: a person's `tail -f` of a VM's log is not ours to kill. */
  readonly programs: RegExp;
  /** Also whatever works inside the VM's folder (commands of the test driver's guests). */
  readonly byWorkingFolder: boolean;
};

function belongsTo(directory: string, recognition: Recognition): (sight: ProcessSight) => boolean {
  const folders = [`${directory}/`, `${recognition.socketDir}/`];
  return ({ argv, cwd }) => {
    if (recognition.byWorkingFolder && cwd !== null && `${cwd}/`.startsWith(`${directory}/`)) return true;
    return recognition.programs.test(basename(argv[0] ?? '')) && argv.some((argument) => folders.some((folder) => argument.includes(folder)));
  };
}

/** Ends every process of a VM, twice over: one that was just forking shows up in the second look. Rejects when one survives. */
export async function endVmProcesses(stored: StoredVm, recognition: Recognition): Promise<void> {
  const recorded: readonly ProcessIdentity[] = stored.record !== null && stored.record.bootId === await hostBootId() ? stored.record.processes : [];
  await Promise.all(recorded.map((identity) => endProcess(identity)));
  const wanted = belongsTo(stored.directory, recognition);
  for (let found = await findProcesses(wanted); found.length > 0; found = await findProcesses(wanted)) {
    const ended = await Promise.all(found.map((identity) => endProcess(identity)));
    if (!ended.includes(true)) break;
  }
}

/** Removes every trace of a VM; a no-op (false) when there is none. Safe to repeat after a crash in the middle. */
export async function removeVm(store: RecordStore, id: string, recognition: Recognition): Promise<boolean> {
  const stored = await store.read(id);
  if (stored !== null && stored.record !== null) {
    await store.write({ ...stored.record, phase: 'stopping' }).catch((error: unknown) => {
      // Removing is what makes space on a full disk. Without the note a crash in the middle is only described less well.
      if (VesselError.from(error).code !== 'DISK_FULL') throw error;
    });
  }
  breakIfAsked('remove.marked');
  // Also without a record: a start that another process removed under its feet may just have made a process.
  await endVmProcesses(stored ?? { id, directory: store.directory(id), record: null, problem: null }, recognition);
  breakIfAsked('remove.ended');
  // Another infra-agent (of a Vessel that was killed, say) may have finished this removal and even made a new VM of the name.
  if (stored?.record != null && (await store.read(id))?.record?.createdAt !== stored.record.createdAt) return true;
  await rm(recognition.socketDir, { recursive: true, force: true });
  await releaseMachineUser(recognition.socketDir);
  breakIfAsked('remove.sockets');
  if (stored !== null) await store.remove(id);
  breakIfAsked('remove.done');
  return stored !== null;
}
