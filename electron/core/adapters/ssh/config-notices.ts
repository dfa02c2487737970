import type { ConfigLine } from './config-line.ts';

type Unsupported = { readonly name: string; /** Values that ask for nothing. */ readonly off: readonly string[]; readonly why: string };

/** Options that can decide whether ssh(1) gets in, and that Vessel does not carry out. */
const UNSUPPORTED: Readonly<Record<string, Unsupported>> = {
  bindinterface: { name: 'BindInterface', off: [], why: 'Vessel leaves the choice of the interface to the system; BindAddress works' },
  canonicalizehostname: { name: 'CanonicalizeHostname', off: ['no', 'false', 'none'], why: 'Vessel dials the name as HostName or you give it' },
  certificatefile: { name: 'CertificateFile', off: ['none'], why: 'Vessel cannot log in with certificates' },
  hostbasedauthentication: { name: 'HostbasedAuthentication', off: ['no', 'false'], why: 'Vessel logs in with keys, answers and passwords only' },
  knownhostscommand: { name: 'KnownHostsCommand', off: ['none'], why: 'Vessel reads files of host keys only' },
  nohostauthenticationforlocalhost: { name: 'NoHostAuthenticationForLocalhost', off: ['no', 'false'], why: 'Vessel checks the key of every host' },
  pkcs11provider: { name: 'PKCS11Provider', off: ['none'], why: 'Vessel reaches keys on cards only through an agent' },
  proxyusefdpass: { name: 'ProxyUseFdpass', off: ['no', 'false'], why: 'Vessel needs a ProxyCommand that carries the bytes itself' },
  stricthostkeychecking: { name: 'StrictHostKeyChecking', off: ['yes', 'true', 'ask'], why: 'Vessel takes an unknown key only after you confirmed its fingerprint' },
  verifyhostkeydns: { name: 'VerifyHostKeyDNS', off: ['no', 'false', 'ask'], why: 'Vessel does not look keys up in the DNS' },
};

/** One sentence for each option that counts for a target and is not done. */
export function noticesOf(lines: ReadonlyMap<string, readonly ConfigLine[]>): readonly string[] {
  return Object.entries(UNSUPPORTED).flatMap(([keyword, { name, off, why }]) => {
    const line = lines.get(keyword)?.[0];
    const value = line?.args[0] ?? '';
    return line === undefined || off.includes(value.toLowerCase()) ? [] : [`${name} ${value} (${line.file} line ${line.line}) is not used: ${why}`];
  });
}
