import { createHash, X509Certificate } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';

/** What this host trusts on TLS connections; the guest trusts the same, so a company's inspecting proxy works inside too. */
export type HostTrust = {
  /** The whole bundle, PEM. */
  readonly bundle: string;
  /** Certificates of the bundle that Node does not carry itself, PEM: what NODE_EXTRA_CA_CERTS needs. Small, as Node parses it at every start. */
  readonly extraForNode: string;
  /** Authorities the administrator added, by file name: they survive `update-ca-certificates` in the guest. */
  readonly local: Readonly<Record<string, string>>;
  readonly hash: string;
};

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

const fingerprint = (pem: string): string => new X509Certificate(pem).fingerprint256;

/** The certificates of `bundle` that are not among `known`. Unreadable blocks are left out: OpenSSL skips them as well. */
export function certificatesBeyond(bundle: string, known: readonly string[]): string {
  const knownPrints = new Set(known.map(fingerprint));
  const extra = (bundle.match(PEM_BLOCK) ?? []).filter((pem) => {
    try {
      return !knownPrints.has(fingerprint(pem));
    } catch {
      // An unreadable certificate trusts nobody.
      return false;
    }
  });
  return extra.map((pem) => `${pem}\n`).join('');
}

async function readOrEmpty(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === 'ENOENT') return '';
    throw error;
  }
}

/** Reads the host's bundle and the administrator's additions. A host without a bundle (a minimal container) trusts what the guest's own package brings. */
export async function readHostTrust(bundlePath = '/etc/ssl/certs/ca-certificates.crt', localDir = '/usr/local/share/ca-certificates'): Promise<HostTrust> {
  const bundle = await readOrEmpty(bundlePath);
  const local: Record<string, string> = {};
  let names: string[] = [];
  try {
    names = await readdir(localDir);
  } catch (error) {
    if ((error as { readonly code?: unknown }).code !== 'ENOENT') throw error;
  }
  for (const name of names.filter((entry) => entry.endsWith('.crt')).toSorted()) local[name] = await readOrEmpty(join(localDir, name));
  const hash = createHash('sha256').update(bundle).update(JSON.stringify(local)).digest('hex');
  return { bundle, extraForNode: certificatesBeyond(bundle, rootCertificates), local, hash };
}
