import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import type { RemoteHost } from '../../../ports/remote-host.ts';
import { INSTALLED, LAUNCHER } from './layout.ts';

/** `installed.json` on a host. Fields may be added, never changed: an older Vessel must be able to see that it is older. */
export const InstalledSchema = z.object({ agentVersion: z.string(), agentSha256: z.string(), agent: z.string(), node: z.string() });
export type Installed = z.infer<typeof InstalledSchema>;

/** What is on the host; null when nothing is, or half of it. */
export async function readInstalled(host: Pick<RemoteHost, 'run'>, signal?: AbortSignal): Promise<Installed | null> {
  const { code, stdout } = await host.run(['sh', '-c', '[ -x "$1" ] && cat "$2"', 'sh', LAUNCHER, INSTALLED], signal === undefined ? {} : { signal });
  if (code !== 0) return null;
  try {
    return InstalledSchema.parse(JSON.parse(stdout));
  } catch (error) {
    // Torn or of another kind: it is installed anew.
    if (error instanceof SyntaxError || error instanceof z.ZodError) return null;
    throw error;
  }
}

/** Compares dotted numbers; what follows a dash is a build of the same number. Negative: `one` is older. */
export function compareVersions(one: string, other: string): number {
  const numbers = (version: string): readonly number[] => (version.split('-')[0] ?? '').split('.').map((part) => Number.parseInt(part, 10) || 0);
  const [left, right] = [numbers(one), numbers(other)];
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Whether the agent there is this Vessel's own. Throws HOST_VERSION when it is newer: going back could not read what it wrote. */
export function isCurrent(installed: Installed, ours: { readonly version: string; readonly sha256: string }): boolean {
  if (compareVersions(installed.agentVersion, ours.version) > 0) {
    throw new VesselError('HOST_VERSION', `The host has infra-agent ${installed.agentVersion}, this Vessel is ${ours.version}`, {
      hint: 'Update this Vessel: another, newer one has prepared the host.', details: { theirs: installed.agentVersion, ours: ours.version },
    });
  }
  return installed.agentSha256 === ours.sha256;
}
