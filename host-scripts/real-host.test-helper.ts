import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { mkdir, rm, symlink } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { vesselCache } from '#shared/paths.ts';
import { createHost } from './infra-agent/create-host.ts';
import type { Host, RequestContext } from './infra-agent/request-context.ts';
import { hostPaths } from './paths.ts';
import type { HostPaths } from './paths.ts';
import { isRoot } from './system/run-user.ts';

export type RealHost = {
  readonly home: string;
  readonly cache: string;
  readonly paths: HostPaths;
  readonly host: Host;
  readonly logs: string[];
  /** Another agent on the same folders. */
  readonly another: () => Host;
  readonly dispose: () => Promise<void>;
};

/** Why real machines cannot be tested here, or null. */
export const cannotRunMachines = (): string | null => process.platform === 'linux' && isRoot() ? null : 'needs Linux and root (to set the rules that isolate guests)';

export const quietContext = (signal: AbortSignal = new AbortController().signal): RequestContext => ({ signal, steps: () => undefined, stage: () => undefined, log: () => undefined });

/**
 * A host with its own state in a folder that only root may enter: machines must live without any right to paths. Images come from the
 * cache all tests share; with `ownTemplates` everything else of the cache is the test's own. `onDiskOf` gives the state a file system of so many MiB.
 */
export async function realHost(options: { readonly ownTemplates?: boolean; readonly onDiskOf?: number } = {}): Promise<RealHost> {
  const home = mkdtempSync(join(tmpdir(), 'vessel-real-'));
  if (options.onDiskOf !== undefined) execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${options.onDiskOf}m,mode=700`, 'tmpfs', home]);
  const shared = vesselCache(process.env, homedir(), isRoot());
  let cache = shared;
  if (options.ownTemplates === true) {
    cache = join(home, 'cache');
    await mkdir(cache);
    for (const name of ['images', 'layers']) {
      mkdirSync(join(shared, name), { recursive: true });
      await symlink(join(shared, name), join(cache, name));
    }
  }
  const paths = hostPaths({ env: {}, isRoot: isRoot(), home, cache });
  const logs: string[] = [];
  const another = (): Host => createHost({ paths, driver: 'qemu', isRoot: isRoot(), role: 'desktop', background: true, log: (text) => logs.push(text) });
  const host = another();
  return {
    home, cache, paths, host, another, logs,
    async dispose() {
      await host.close();
      for (const vm of (await host.list({}, quietContext())).vms) await host.stop({ id: vm.id }, quietContext());
      if (options.onDiskOf !== undefined) execFileSync('umount', [home]);
      await rm(home, { recursive: true, force: true });
    },
  };
}
