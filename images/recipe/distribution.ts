import { readFile } from 'node:fs/promises';
import { VesselError } from '#shared/errors.ts';

export type Distribution = { readonly id: 'debian' | 'ubuntu'; readonly suite: string; readonly version: string };

/** Reads `/etc/os-release` text. Throws HOST_UNSUPPORTED for anything but Debian and Ubuntu. */
export function parseOsRelease(text: string): Distribution {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([A-Z_]+)=(?:"([^"]*)"|'([^']*)'|(.*))$/.exec(line.trim());
    if (match?.[1] !== undefined) fields.set(match[1], match[2] ?? match[3] ?? match[4] ?? '');
  }
  const id = fields.get('ID') ?? '';
  const suite = fields.get('VERSION_CODENAME') ?? '';
  if ((id !== 'debian' && id !== 'ubuntu') || suite === '') {
    throw new VesselError('HOST_UNSUPPORTED', `The golden image is made of the host's own distribution, and ${fields.get('PRETTY_NAME') ?? 'this one'} is neither Debian nor Ubuntu with a release name`);
  }
  return { id, suite, version: fields.get('VERSION_ID') ?? '' };
}

/** The distribution of this host. */
export async function readDistribution(): Promise<Distribution> {
  return parseOsRelease(await readFile('/etc/os-release', 'utf8'));
}
