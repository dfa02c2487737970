import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the double keeps of a VM, in the place and form of `/var/lib/firecracker/vm/<uid>/metadata.json`. */
export type VmFile = {
  readonly kind: 'VM';
  readonly metadata: { readonly name: string; readonly uid: string; readonly labels: Readonly<Record<string, string>> };
  readonly spec: { readonly cpus: number; readonly memory: string; readonly diskSize: string; readonly image: string; readonly token: string };
  readonly status: { readonly running: boolean; readonly network: { readonly ipAddresses: readonly string[] } | null; readonly runtime: { readonly id: string; readonly name: string } | null; readonly startTime?: string };
};
/** What containerd knows: which tasks run. */
export type TaskFile = { readonly id: string; readonly pid: number };

const folder = (): string => {
  const value = process.env['IGNITE_DOUBLE_DIR'];
  if (value === undefined) throw new Error('IGNITE_DOUBLE_DIR is not set');
  return value;
};
export const vmFolder = (uid: string): string => join(folder(), 'vm', uid);
export const at = (name: string): string => join(folder(), name);

function read<T>(kind: 'vm' | 'task'): readonly T[] {
  mkdirSync(at(kind), { recursive: true });
  return readdirSync(at(kind)).map((name) => JSON.parse(readFileSync(kind === 'vm' ? join(at(kind), name, 'metadata.json') : join(at(kind), name), 'utf8')) as T);
}
export const readVms = (): readonly VmFile[] => read('vm');
export const readTasks = (): readonly TaskFile[] => read<TaskFile>('task').filter(({ pid }) => lives(pid));

export function writeVm(vm: VmFile): void {
  mkdirSync(vmFolder(vm.metadata.uid), { recursive: true });
  writeFileSync(join(vmFolder(vm.metadata.uid), 'metadata.json'), JSON.stringify(vm, null, 2));
}
export function writeTask(task: TaskFile): void {
  mkdirSync(at('task'), { recursive: true });
  writeFileSync(join(at('task'), task.id), JSON.stringify(task));
}

/** A zombie is nobody any more. */
export function lives(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    // No such process.
    return false;
  }
}
