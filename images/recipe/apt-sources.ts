import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import type { Distribution } from './distribution.ts';

/** One archive the host installs binary packages from. */
export type AptSource = {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
  /** Keyring path, or null for apt's default keys. Keys written into the source itself are not supported and drop the entry's key. */
  readonly signedBy: string | null;
  readonly trusted: boolean;
};

const isPath = (value: string | undefined): value is string => value !== undefined && value.startsWith('/');

/** Parses the one-line format (`deb [options] uri suite component…`). */
export function parseOneLineSources(text: string): readonly AptSource[] {
  const sources: AptSource[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.replace(/#.*$/, '').trim();
    const match = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)$/.exec(line);
    if (match === null) continue;
    const options = new Map((match[1] ?? '').split(/\s+/).filter(Boolean).map((option): [string, string] => {
      const at = option.indexOf('=');
      return at < 0 ? [option, ''] : [option.slice(0, at), option.slice(at + 1)];
    }));
    const signedBy = options.get('signed-by');
    sources.push({
      uri: match[2] ?? '', suite: match[3] ?? '', components: (match[4] ?? '').split(/\s+/).filter(Boolean),
      signedBy: isPath(signedBy) ? signedBy : null, trusted: options.get('trusted') === 'yes',
    });
  }
  return sources;
}

/** Parses deb822 stanzas (`*.sources`). */
export function parseDeb822Sources(text: string): readonly AptSource[] {
  const withoutComments = text.split('\n').filter((line) => !line.startsWith('#')).join('\n');
  return withoutComments.split(/\n\s*\n/).flatMap((stanza) => {
    const fields = new Map<string, string>();
    let last = '';
    for (const line of stanza.split('\n')) {
      const field = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line);
      if (field?.[1] !== undefined) fields.set((last = field[1].toLowerCase()), field[2] ?? '');
      else if (/^\s+\S/.test(line) && last !== '') fields.set(last, `${fields.get(last) ?? ''} ${line.trim()}`);
    }
    const words = (name: string): readonly string[] => (fields.get(name) ?? '').split(/\s+/).filter(Boolean);
    if (!words('types').includes('deb') || fields.get('enabled')?.toLowerCase() === 'no') return [];
    const signedBy = words('signed-by')[0];
    return words('uris').flatMap((uri) => words('suites').map((suite) => ({
      uri, suite, components: words('components'), signedBy: isPath(signedBy) ? signedBy : null, trusted: fields.get('trusted')?.toLowerCase() === 'yes',
    })));
  });
}

/** Archive components that belong to the distribution itself. */
const COMPONENTS: Readonly<Record<Distribution['id'], readonly string[]>> = {
  debian: ['main', 'contrib', 'non-free', 'non-free-firmware'],
  ubuntu: ['main', 'universe', 'restricted', 'multiverse'],
};

/**
 * Keeps the distribution's own archives: third-party ones (their suites or components are named otherwise) never decide
 * what a guest is made of. A vendor's archive that imitates the release name is told by its lack of `main`, or by not being
 * accompanied by the distribution's keyring.
 */
export function distributionSources(sources: readonly AptSource[], distribution: Distribution): readonly AptSource[] {
  const pockets = ['', '-updates', '-security'].map((pocket) => `${distribution.suite}${pocket}`);
  const own = COMPONENTS[distribution.id];
  const seen = new Set<string>();
  return sources.filter((source) => {
    const suite = source.suite.replace(/\/updates$/, '-security');
    const official = pockets.includes(suite) && source.components.length > 0 && source.components.every((component) => own.includes(component)) && isDistributionKey(source, distribution);
    const key = `${source.uri} ${source.suite} ${source.components.join(' ')}`;
    if (!official || seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function isDistributionKey(source: AptSource, distribution: Distribution): boolean {
  // Without an own key the entry is checked with the keys that the distribution installed for apt.
  return source.signedBy === null || source.signedBy.includes(`${distribution.id}-archive-keyring`);
}

/** The lines given to mmdebstrap on its standard input. */
export function renderSources(sources: readonly AptSource[]): string {
  return sources.map((source) => {
    const options = [source.signedBy === null ? '' : `signed-by=${source.signedBy}`, source.trusted ? 'trusted=yes' : ''].filter(Boolean);
    return ['deb', options.length === 0 ? '' : `[${options.join(' ')}]`, source.uri, source.suite, ...source.components].filter(Boolean).join(' ');
  }).join('\n') + '\n';
}

/** The distribution's archives as this host uses them. Throws PROVISION_FAILED when there are none. */
export async function readAptSources(distribution: Distribution, aptDir = '/etc/apt'): Promise<readonly AptSource[]> {
  const names = await readdir(join(aptDir, 'sources.list.d')).catch(onMissing<string[]>([]));
  const found: AptSource[] = [...parseOneLineSources(await readFile(join(aptDir, 'sources.list'), 'utf8').catch(onMissing('')))];
  for (const name of names.toSorted()) {
    const text = (): Promise<string> => readFile(join(aptDir, 'sources.list.d', name), 'utf8');
    if (name.endsWith('.list')) found.push(...parseOneLineSources(await text()));
    if (name.endsWith('.sources')) found.push(...parseDeb822Sources(await text()));
  }
  const own = distributionSources(found, distribution);
  if (!own.some((source) => source.suite === distribution.suite)) {
    throw new VesselError('PROVISION_FAILED', `The host's apt sources name no archive of ${distribution.id} ${distribution.suite}`, { hint: 'Add the distribution\'s archive to /etc/apt/sources.list and run apt-get update.' });
  }
  return own;
}

function onMissing<T>(fallback: T): (error: unknown) => T {
  return (error) => {
    if ((error as { readonly code?: unknown }).code === 'ENOENT') return fallback;
    throw error;
  };
}
