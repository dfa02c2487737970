import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { dump } from 'js-yaml';
import { writeFileAtomic } from '../system/atomic-file.ts';

/** Traefik reads these files as its own user; they hold no secret. */
const WORLD_READABLE = 0o644;
const PUBLIC_FOLDER = 0o755;

export type RouteTarget = { readonly id: string; readonly host: string; readonly port: number };

/** The names of an environment at the gateway: its own, the one that may be framed by the app, and those of its ports. */
const rule = (id: string): string => {
  const names = [`${id}.localhost`, `${id}.vessel.localhost`];
  return `Host(${names.map((name) => `\`${name}\``).join(', ')}) || HostRegexp(${names.map((name) => `\`{port:[0-9]+}--${name}\``).join(', ')})`;
};

/** One environment as a dynamic configuration of Traefik v2 (file provider): `http://<id>.localhost` to the guest's agent. */
export function traefikRoute(target: RouteTarget): string {
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
}
