import { mkdir, readdir, rm } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { dump } from 'js-yaml';
import { VesselError } from '#shared/errors.ts';
import type { Vm } from '#shared/host-protocol.ts';
import { VmIdSchema } from '#shared/ids.ts';
import { readFileOrNull, writeFileAtomic } from '../system/atomic-file.ts';
import { errnoOf } from '../system/errno.ts';

/** Traefik reads these files as its own user; they hold no secret. */
const WORLD_READABLE = 0o644;
const PUBLIC_FOLDER = 0o755;

export type RouteTarget = { readonly id: string; readonly host: string; readonly port: number };

/** The names of an environment at the gateway: its own, the one that may be framed by the app, and those of its ports. */
const rule = (id: string): string => {
  const names = [`${id}.localhost`, `${id}.vessel.localhost`];
  return `Host(${names.map((name) => `\`${name}\``).join(', ')}) || HostRegexp(${names.map((name) => `\`{port:[0-9]+}--${name}\``).join(', ')})`;
};

/**
 * One environment as a dynamic configuration of Traefik v2 (file provider): `http://<id>.localhost` to the guest's agent. Throws INTERNAL for
 * what is no name or no address: Traefik drops a whole file for one bad word, and a word could say something else in its rules.
 */
export function traefikRoute(target: RouteTarget): string {
  const { id, host, port } = target;
  if (!VmIdSchema.safeParse(id).success || isIP(host) === 0 || !Number.isInteger(port) || port < 1 || port > 65_535) throw new VesselError('INTERNAL', `no route leads to ${JSON.stringify(target)}`);
  return dump({
    http: {
      routers: { [target.id]: { rule: rule(target.id), entryPoints: ['web'], service: target.id } },
      services: { [target.id]: { loadBalancer: { passHostHeader: true, servers: [{ url: `http://${target.host}:${target.port}` }] } } },
    },
  });
}

/** The rules of the running environments, one file each, in the folder that Traefik watches. */
export class RouteFolder {
  readonly #folder: string;
  constructor(folder: string) {
    this.#folder = folder;
  }

  path(id: string): string {
    return join(this.#folder, `${id}.yml`);
  }

  /** Atomic: Traefik never reads half a rule. */
  async write(target: RouteTarget): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: PUBLIC_FOLDER });
    await writeFileAtomic(this.path(target.id), traefikRoute(target), { mode: WORLD_READABLE, durable: false });
  }

  async remove(id: string): Promise<void> {
    await rm(this.path(id), { force: true });
  }

  /**
   * Makes the folder agree with the VMs that `look` lists, and returns those: the rule of one that runs is written anew where it is missing or another, the
   * rule of one that no longer runs is removed. Files that are no rules of ours stay. The folder is read first, so that a rule that comes meanwhile is left alone.
   */
  async reconcile(look: () => Promise<readonly Vm[]>): Promise<readonly Vm[]> {
    const rules = await this.#ours();
    const vms = await look();
    const states = new Map(vms.map(({ id, state }) => [id, state]));
    const running = vms.flatMap(({ id, state, address }) => state === 'running' && address !== null ? [{ id, ...address }] : []);
    const wrong: RouteTarget[] = [];
    for (const target of running) if (await readFileOrNull(this.path(target.id)) !== traefikRoute(target)) wrong.push(target);
    for (const target of wrong) await this.write(target);
    for (const id of rules) if (!['running', 'starting'].includes(states.get(id) ?? 'gone')) await this.remove(id);
    if (wrong.length === 0) return vms;
    // One that was ended while its rule was written took only the old one away.
    const now = new Set((await look()).filter(({ state }) => state === 'running').map(({ id }) => id));
    for (const { id } of wrong) if (!now.has(id)) await this.remove(id);
    return vms;
  }

  /** The ids whose file begins as a rule of ours does. */
  async #ours(): Promise<readonly string[]> {
    const names = await readdir(this.#folder).catch((error: unknown) => { if (errnoOf(error) === 'ENOENT') return []; throw error; });
    const found = await Promise.all(names.filter((name) => name.endsWith('.yml')).map(async (name) => {
      const id = name.slice(0, -'.yml'.length);
      return VmIdSchema.safeParse(id).success && (await readFileOrNull(this.path(id)))?.startsWith(`http:\n  routers:\n    ${dumpedKey(id)}:\n`) === true ? [id] : [];
    }));
    return found.flat();
  }
}

/** As YAML writes it: an id of digits alone is quoted. */
const dumpedKey = (id: string): string => dump({ [id]: 0 }).split(':')[0] ?? id;
