import type { AptSource } from './apt-sources.ts';
import { renderSources } from './apt-sources.ts';
import type { Distribution } from './distribution.ts';
import { run } from './run.ts';

/** Nothing in a guest reads these; 40 % of a minimal tree. */
const LEFT_OUT = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/info/*', '/usr/share/locale/*', '/usr/share/lintian/*', '/usr/share/bug/*'];

export type BootstrapPlan = {
  readonly distribution: Distribution;
  readonly sources: readonly AptSource[];
  readonly packages: readonly string[];
  /** mmdebstrap hooks, in order: shell text with the root as `$1`, or its special hooks such as `sync-in`. */
  readonly hooks: readonly string[];
  /** A tar file, or null when hooks take out what is wanted. */
  readonly output: string | null;
  readonly root: boolean;
};

/**
 * mmdebstrap's arguments. As root it uses the root mode; without, the unshare mode, which needs `/etc/subuid` and `/etc/subgid`
 * ranges for the user (Debian's `adduser` gives them) and unprivileged user namespaces.
 */
export function bootstrapArgv(plan: BootstrapPlan): readonly string[] {
  return [
    'mmdebstrap', `--mode=${plan.root ? 'root' : 'unshare'}`, '--variant=minbase', `--include=${plan.packages.join(',')}`,
    '--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"', '--aptopt=Acquire::Retries "3"',
    ...LEFT_OUT.map((path) => `--dpkgopt=path-exclude=${path}`),
    ...plan.hooks.map((hook) => `--customize-hook=${hook}`),
    `--format=${plan.output === null ? 'null' : 'tar'}`, plan.distribution.suite, plan.output ?? '/dev/null', '-',
  ];
}

/** Makes a tree of the host's distribution. Throws PROVISION_FAILED with apt's last lines. */
export async function bootstrap(plan: BootstrapPlan, what: string, onLine: (line: string) => void, signal: AbortSignal | undefined): Promise<void> {
  await run(bootstrapArgv(plan), { what, stdin: renderSources(plan.sources), onLine, signal, env: { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' } });
}

/** Quotes a path for a hook, which mmdebstrap gives to a shell. */
export function hookPath(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`;
}
