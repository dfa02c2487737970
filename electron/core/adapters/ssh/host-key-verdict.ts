import { VesselError } from '#shared/errors.ts';
import { isFingerprint, type HostKey } from './host-key.ts';
import type { KnownKey } from './known-hosts.ts';

export type HostKeyQuestion = {
  /** As it stands in known_hosts: `name` or `[name]:port`. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly key: HostKey;
  readonly known: readonly KnownKey[];
  /** Fingerprints that a person has confirmed for this very attempt. */
  readonly accepted: readonly string[];
  /** Files that were read, for the message. */
  readonly files: readonly string[];
};

/**
 * Whether a server's key may be trusted: `known` says it is on file, `accept` that a person has just confirmed exactly this
 * fingerprint and it must be put on file. Everything else throws HOST_KEY_REVOKED, HOST_KEY_CHANGED, HOST_KEY_AUTHORITY or
 * HOST_KEY_UNKNOWN. A confirmed fingerprint never overrides a key on file: a changed key is a hard stop.
 *
 * Stricter than OpenSSH in one point: a host that is known by keys of other types only counts as changed. The types on
 * file are offered first, so an honest server would have shown one of them.
 */
export function judgeHostKey({ name, host, port, key, known, accepted, files }: HostKeyQuestion): 'known' | 'accept' {
  const details = { host, port, name, type: key.type, fingerprint: key.fingerprint };
  const at = ({ file, line }: KnownKey): string => `${file}:${line}`;
  const same = (candidate: KnownKey): boolean => candidate.blob.equals(key.blob);

  const revoked = known.find((candidate) => candidate.marker === 'revoked' && same(candidate));
  if (revoked !== undefined) throw new VesselError('HOST_KEY_REVOKED', `The ${key.type} key of ${name} is revoked by ${at(revoked)}`, { details: { ...details, file: revoked.file, line: revoked.line } });
  const plain = known.filter(({ marker }) => marker === 'none');
  if (plain.some(same)) return 'known';
  const [old] = [...plain.filter(({ type }) => type === key.type), ...plain];
  if (old !== undefined) {
    throw new VesselError('HOST_KEY_CHANGED', `${name} shows the ${key.type} key ${key.fingerprint}, but ${at(old)} holds another ${old.type} key`, {
      details: { ...details, file: old.file, line: old.line, places: plain.map(({ file, line, type }) => ({ file, line, type })) },
    });
  }
  if (accepted.some((fingerprint) => isFingerprint(fingerprint, key))) return 'accept';
  const authority = known.find(({ marker }) => marker === 'cert-authority');
  if (authority !== undefined) throw new VesselError('HOST_KEY_AUTHORITY', `${name} is vouched for by the authority of ${at(authority)}; Vessel cannot check certificates. Its plain ${key.type} key is ${key.fingerprint}`, { details: { ...details, file: authority.file, line: authority.line } });
  const wrong = accepted.length === 0 ? '' : ', which is not the one that was given';
  throw new VesselError('HOST_KEY_UNKNOWN', `${name} is not known yet. It shows the ${key.type} key ${key.fingerprint}${wrong}`, { details: { ...details, given: accepted, files } });
}

/** The type of key that an algorithm shows. */
const typeOf = (algorithm: string): string => algorithm.startsWith('rsa-sha2-') ? 'ssh-rsa' : algorithm;

/** What to offer a server, of `algorithms`: the types that are on file for it come first, so that it shows a key that can be compared. */
export function hostKeyAlgorithms(known: readonly KnownKey[], algorithms: readonly string[]): readonly string[] {
  const types = new Set(known.filter(({ marker }) => marker === 'none').map(({ type }) => type));
  return [...algorithms.filter((name) => types.has(typeOf(name))), ...algorithms.filter((name) => !types.has(typeOf(name)))];
}
