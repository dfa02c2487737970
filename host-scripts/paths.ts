import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { vesselCache } from '#shared/paths.ts';

/** What a host is for: `desktop` is a person's own computer, `server` a machine that was made a host over SSH (`$VESSEL_ROLE`). */
export type HostRole = 'desktop' | 'server';

/** Where infra-agent keeps its things; see {@link hostPaths} for the rules. */
export type HostPaths = {
  /** State of this host: VM records, the provisioning journal, Traefik rules. */
  readonly state: string;
  /** Everything that can be rebuilt: golden images, templates, the accelerator's probe. */
  readonly cache: string;
  /** Short folder for unix sockets, whose paths may have at most 107 bytes. */
  readonly run: string;
  readonly vms: string;
  readonly journal: string;
  readonly traefik: string;
  readonly images: string;
  readonly templates: string;
};

export type HostPathOptions = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isRoot: boolean;
  /** `--home` and `--cache` of the command line; they win over the environment. */
  readonly home?: string | undefined;
  readonly cache?: string | undefined;
};

const given = (value: string | undefined): value is string => value !== undefined && value !== '';

function stateFolder(options: HostPathOptions): string {
  const home = options.home ?? options.env['VESSEL_HOME'];
  if (given(home)) return resolve(home, 'host');
  return options.isRoot ? '/var/lib/vessel/host' : join(homedir(), '.local/share/vessel/host');
}

function runFolder(options: HostPathOptions): string {
  if (options.isRoot) return '/run/vessel';
  const xdg = options.env['XDG_RUNTIME_DIR'];
  return given(xdg) ? join(xdg, 'vessel') : `/tmp/vessel-${process.getuid?.() ?? 0}`;
}

/**
 * The folders of this host.
 *
 * State: `--home` or `$VESSEL_HOME` + `/host`, else `/var/lib/vessel/host` for root, else `~/.local/share/vessel/host`.
 * Cache: `--cache`, else as every part of Vessel has it (`electron/shared/paths.ts`).
 */
export function hostPaths(options: HostPathOptions): HostPaths {
  const state = stateFolder(options);
  const cache = resolve(given(options.cache) ? options.cache : vesselCache(options.env, homedir(), options.isRoot));
  return {
    state, cache, run: runFolder(options),
    vms: join(state, 'vms'), journal: join(state, 'journal.jsonl'), traefik: join(state, 'traefik'),
    images: join(cache, 'images'), templates: join(cache, 'templates'),
  };
}
