import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import { TIERS } from '#shared/project.ts';
import type { Tier } from '#shared/project.ts';
import { writeFileAtomic } from '../../system/atomic-file.ts';
import type { IgniteCli } from './ignite-cli.ts';

/** `ignite inspect vm … -o json`, as far as we need it. A stopped one has `running: false` and no addresses. */
const InspectSchema = z.object({
  metadata: z.object({ name: z.string(), uid: z.string() }),
  status: z.object({
    running: z.boolean().default(false),
    network: z.object({ ipAddresses: z.array(z.string()).nullish() }).nullish(),
    runtime: z.object({ id: z.string().nullish() }).nullish(),
  }),
});
const MetadataSchema = z.looseObject({ status: z.looseObject({ running: z.boolean().optional() }) });

/** Names match by their beginnings (`rm dev` takes `dev-1`), so only whole ids are ever given. */
const UID = /^[0-9a-f]{16}$/;
const LIST_TEMPLATE = '{{.ObjectMeta.UID}} {{.ObjectMeta.Name}} {{.ObjectMeta.Labels}}';
/** How Go prints the label that ours carry: a person's own VM of the same name is not ours to touch. */
const OUR_LABEL = /\bvessel:true\b/;
/** A pull of the image may be part of it; a dead stop takes 35 s. */
const RUN_DEADLINE_MS = 300_000;
const STOP_DEADLINE_MS = 60_000;
const RM_DEADLINE_MS = 90_000;
/** The size of the disk: whole numbers of KB, MB or GB only; `10GiB` and `1.5GB` are refused. */
const DISK_SIZE = '10GB';
const BLOCK_BYTES = 512;
const TOKEN_IN_GUEST = '/etc/vessel/token';

export type IgniteVm = { readonly uid: string; readonly name: string; readonly running: boolean; readonly address: string | null; readonly taskId: string };

const asUid = (uid: string): string => {
  if (!UID.test(uid)) throw new VesselError('INTERNAL', `"${uid}" is no whole id of an ignite VM`);
  return uid;
};
const fatalIn = (error: unknown): string => String(VesselError.from(error).details['fatal'] ?? '');

/** VMs by way of the `ignite` program, each of its traps in one place. */
export class IgniteVms {
  readonly #cli: IgniteCli;
  readonly #dataDir: string;

  constructor(cli: IgniteCli, dataDir: string) {
    this.#cli = cli;
    this.#dataDir = dataDir;
  }

  /** The id of our VM of exactly this name; null when there is none. */
  async find(name: string): Promise<string | null> {
    const listed = await this.#cli.run(['ps', '-a', '-t', LIST_TEMPLATE]);
    for (const line of listed.split('\n')) {
      const [uid, found, ...labels] = line.trim().split(' ');
      if (found === name && OUR_LABEL.test(labels.join(' ')) && uid !== undefined && UID.test(uid)) return uid;
    }
    return null;
  }

  /**
   * Makes and starts a VM. Not atomic: a failed one may have left a stopped VM, which {@link find} finds. Success does not mean that it lives. A folder
   * cannot be a volume (`-v` takes block devices only), so the token goes in as a copied file.
   */
  async start(given: { readonly name: string; readonly image: string; readonly kernel: string; readonly tier: Tier; readonly tokenFile: string }): Promise<void> {
    const { vcpus, memoryMiB } = TIERS[given.tier];
    await this.#cli.run([
      'run', given.image, '--name', given.name, '--require-name', '--kernel-image', given.kernel, '--cpus', String(vcpus), '--memory', `${memoryMiB}MB`, '--size', DISK_SIZE,
      '-f', `${given.tokenFile}:${TOKEN_IN_GUEST}`, '-l', 'vessel=true', '--runtime', 'containerd', '--network-plugin', 'cni',
    ], RUN_DEADLINE_MS);
  }

  /** What ignite believes. Throws VM_NOT_FOUND. */
  async inspect(uid: string): Promise<IgniteVm> {
    const { metadata, status } = InspectSchema.parse(JSON.parse(await this.#cli.run(['inspect', 'vm', asUid(uid), '-o', 'json'])));
    // A prefix of ours might have matched another VM if ids ever got shorter.
    if (metadata.uid !== uid) throw new VesselError('VM_NOT_FOUND', `ignite answered for ${metadata.uid} when asked for ${uid}`);
    return { uid, name: metadata.name, running: status.running, address: status.network?.ipAddresses?.[0] ?? null, taskId: status.runtime?.id ?? `ignite-${uid}` };
  }

  /** The pid of a VM that really runs, whatever ignite believes; null for a dead one. */
  async pid(vm: Pick<IgniteVm, 'taskId'>): Promise<number | null> {
    return (await this.#cli.tasks()).get(vm.taskId) ?? null;
  }

  /** Lets the guest sync and stop; one that does not is killed after half a minute. A no-op for one that is stopped. */
  async stop(uid: string): Promise<void> {
    if (await this.#repair(uid)) return;
    try {
      await this.#cli.run(['stop', asUid(uid)], STOP_DEADLINE_MS);
    } catch (error) {
      if (fatalIn(error).includes('unknown runtime ""')) return;
      if (VesselError.from(error).code !== 'TIMEOUT') throw error;
      await this.#cli.run(['kill', uid], STOP_DEADLINE_MS);
    }
  }

  /** Removes a VM, running or not. A no-op when it is gone. */
  async remove(uid: string): Promise<void> {
    try {
      await this.#repair(uid);
      await this.#cli.run(['rm', '-f', asUid(uid)], RM_DEADLINE_MS);
    } catch (error) {
      if (VesselError.from(error).code !== 'VM_NOT_FOUND') throw error;
    }
  }

  async logs(uid: string): Promise<readonly string[]> {
    return (await this.#cli.run(['logs', asUid(uid)])).split('\n').filter((line) => line !== '');
  }

  /** How full the disk of a VM is, 0–1, by the blocks that its overlay really has: a full one loses the whole disk. */
  async diskUse(uid: string): Promise<number> {
    const { blocks, size } = await stat(join(this.#dataDir, 'vm', asUid(uid), 'overlay.dm'));
    return size === 0 ? 0 : (blocks * BLOCK_BYTES) / size;
  }

  /** After a crash of the host it still says `running` and then can neither stop nor remove: containerd knows, and its note is set right. */
  async #repair(uid: string): Promise<boolean> {
    const vm = await this.inspect(uid);
    if (!vm.running || await this.pid(vm) !== null) return false;
    const path = join(this.#dataDir, 'vm', uid, 'metadata.json');
    const metadata = MetadataSchema.parse(JSON.parse(await readFile(path, 'utf8')));
    await writeFileAtomic(path, JSON.stringify({ ...metadata, status: { ...metadata.status, running: false, network: null } }, null, 2), { mode: 0o644, durable: false });
    return true;
  }
}
