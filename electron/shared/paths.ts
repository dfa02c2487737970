/**
 * Where Vessel keeps its things. Every door and core must agree on these rules, so they stand here once; `shared` is free
 * of Node, so the caller passes its environment, home folder and rights. All paths use `/`, which Node accepts everywhere.
 *
 * A relative `VESSEL_HOME` or `VESSEL_CACHE` is returned as it is: the caller makes it absolute with its own working folder
 * before it hands it to another process.
 */
export type PathEnvironment = Readonly<Record<string, string | undefined>>;

const trimmed = (path: string): string => path.length > 1 ? path.replace(/(?<!\/)\/+$/, '') : path;

/** `~` and `~/x` as a shell reads them. Another user's home (`~name`) stays as it is: nothing here could look it up. */
export const expandHome = (path: string, homeDirectory: string): string => path === '~' || path.startsWith('~/') ? `${trimmed(homeDirectory)}${path.slice(1)}` : path;

/** The XDG specification: a base folder that is not absolute must be ignored. */
const base = (value: string | undefined, fallback: string): string => value !== undefined && value.startsWith('/') ? trimmed(value) : fallback;

/** All state: `$VESSEL_HOME`, else `$XDG_DATA_HOME/vessel`, else `~/.local/share/vessel`. */
export function vesselHome(env: PathEnvironment, homeDirectory: string): string {
  if (env['VESSEL_HOME'] !== undefined && env['VESSEL_HOME'] !== '') return trimmed(env['VESSEL_HOME']);
  return `${base(env['XDG_DATA_HOME'], `${trimmed(homeDirectory)}/.local/share`)}/vessel`;
}

/** All that can be rebuilt (images, templates, kernels): `$VESSEL_CACHE`, else `/var/cache/vessel` for root, else `$XDG_CACHE_HOME/vessel`, else `~/.cache/vessel`. */
export function vesselCache(env: PathEnvironment, homeDirectory: string, isRoot: boolean): string {
  if (env['VESSEL_CACHE'] !== undefined && env['VESSEL_CACHE'] !== '') return trimmed(env['VESSEL_CACHE']);
  if (isRoot) return '/var/cache/vessel';
  return `${base(env['XDG_CACHE_HOME'], `${trimmed(homeDirectory)}/.cache`)}/vessel`;
}

/** Pid, lock and {@link serverFilePath}: only while Vessel runs. */
export const runDirectory = (home: string): string => `${home}/run`;
/** How other doors find and authenticate to the running Vessel; mode 0600, see `server-file.ts`. */
export const serverFilePath = (home: string): string => `${runDirectory(home)}/server.json`;
export const logDirectory = (home: string): string => `${home}/logs`;
/** Output of a Vessel that was started in the background. */
export const serverLogPath = (home: string): string => `${logDirectory(home)}/server.log`;
