import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { VmIdSchema } from '#shared/ids.ts';
import { VesselError } from '#shared/errors.ts';
import { readFileOrNull, writeFileAtomic } from '../system/atomic-file.ts';
import { errnoOf } from '../system/errno.ts';
import { VmRecordSchema } from './vm-record.ts';
import type { VmRecord } from './vm-record.ts';

/** A folder whose record cannot be read is still a VM: `record` is null and `problem` says why. */
export type StoredVm = { readonly id: string; readonly directory: string; readonly record: VmRecord | null; readonly problem: string | null };

const SECRET_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;

/** The VM records of this host: one folder per VM under `<host state>/vms`, holding `vm.json` and the VM's own files. */
export class RecordStore {
  readonly #root: string;
  constructor(root: string) {
    this.#root = root;
  }

  directory(id: string): string {
    return join(this.#root, id);
  }

  /** Reserves the id by making its folder. Throws VM_EXISTS. */
  async create(record: VmRecord): Promise<string> {
    await mkdir(this.#root, { recursive: true, mode: PRIVATE_FOLDER });
    try {
      await mkdir(this.directory(record.id), { mode: PRIVATE_FOLDER });
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') throw new VesselError('VM_EXISTS', `the environment ${record.id} already exists on this host`, { cause: error });
      throw error;
    }
    await this.write(record);
    return this.directory(record.id);
  }

  /** Not flushed to disk unless asked: after a power cut no VM lives that the record could tell about, only sleeping ones. */
  async write(record: VmRecord, options: { readonly durable: boolean } = { durable: false }): Promise<void> {
    await writeFileAtomic(join(this.directory(record.id), 'vm.json'), `${JSON.stringify(record)}\n`, { mode: SECRET_FILE, ...options });
  }

  /** Null when there is no VM of that name. */
  async read(id: string): Promise<StoredVm | null> {
    const directory = this.directory(id);
    const text = await readFileOrNull(join(directory, 'vm.json'));
    if (text === null) {
      const names = await this.#names();
      return names.includes(id) ? { id, directory, record: null, problem: 'its start was interrupted before anything was written down' } : null;
    }
    try {
      return { id, directory, record: VmRecordSchema.parse(JSON.parse(text)), problem: null };
    } catch (error) {
      return { id, directory, record: null, problem: `its record cannot be read: ${VesselError.from(error).message.slice(0, 200)}` };
    }
  }

  /** All VMs; one broken record never hides the others. */
  async list(): Promise<readonly StoredVm[]> {
    const vms = await Promise.all((await this.#names()).map((id) => this.read(id)));
    return vms.filter((vm) => vm !== null);
  }

  /** Removes the folder with all it holds; a no-op when it is gone already. */
  async remove(id: string): Promise<void> {
    await rm(this.directory(id), { recursive: true, force: true });
  }

  async #names(): Promise<readonly string[]> {
    try {
      return (await readdir(this.#root)).filter((name) => VmIdSchema.safeParse(name).success).sort();
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    }
  }
}
