/**
 * Forms of secrets that their issuers document, and names of files that hold nothing else. A warning before something leaves this
 * computer, not a proof that nothing does. Every pattern is linear: fixed prefixes and single classes.
 */
export type SecretPattern = { readonly kind: string; readonly pattern: RegExp };

export const SECRET_PATTERNS: readonly SecretPattern[] = [
  { kind: 'private key', pattern: /-----BEGIN (?:RSA |EC |DSA |OPENSSH |ENCRYPTED |PGP )?PRIVATE KEY(?: BLOCK)?-----/g },
  { kind: 'age identity', pattern: /\bAGE-SECRET-KEY-1[A-Z0-9]{50,}/g },
  { kind: 'AWS access key', pattern: /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g },
  { kind: 'GitHub token', pattern: /\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60})/g },
  { kind: 'GitLab token', pattern: /\bglpat-[A-Za-z0-9_-]{20}/g },
  { kind: 'Slack token', pattern: /\bxox[abprs]-[A-Za-z0-9-]{20}/g },
  { kind: 'Stripe live key', pattern: /\b[rs]k_live_[A-Za-z0-9]{16}/g },
  { kind: 'Google API key', pattern: /\bAIza[A-Za-z0-9_-]{35}/g },
  { kind: 'npm token', pattern: /\bnpm_[A-Za-z0-9]{36}\b/g },
  { kind: 'Supabase secret key', pattern: /\bsb_secret_[A-Za-z0-9_-]{20}/g },
  { kind: 'OpenAI or Anthropic key', pattern: /\bsk-(?:ant-|proj-)[A-Za-z0-9_-]{20}/g },
  { kind: 'password in an address', pattern: /\b(?:postgres|postgresql|mysql|mongodb|mongodb\+srv|redis|amqp|https?|ftp):\/\/[^\s:@/"'`]{1,100}:(?<secret>[^\s:@/"'`]{3,200})@/g },
];
/** What examples write where a password would stand. */
const PLACEHOLDER = /^(?:<.*|\$.*|\{.*|%.*|x+|\*+|\.+|pass(?:word|wd)?|secret|changeme|example|postgres|root|guest|admin|user|test)$/i;

/** Files that are secrets by their name; examples of them are not. */
const SECRET_NAMES: readonly { readonly kind: string; readonly pattern: RegExp }[] = [
  { kind: 'environment file', pattern: /^\.env(?:\.(?!example$|sample$|template$|dist$)[\w.-]+)?$/ },
  { kind: 'SSH key', pattern: /^id_(?:rsa|dsa|ecdsa|ed25519)$/ },
  { kind: 'key store', pattern: /\.(?:p12|pfx|jks|keystore|ppk)$/i },
  { kind: 'credentials', pattern: /^(?:\.netrc|\.pgpass|\.git-credentials|\.htpasswd|credentials\.json|service-account\.json)$/ },
];

export type FoundSecret = { readonly kind: string; readonly line: number; /** Enough to recognise it, too little to use it. */ readonly hint: string };

export function secretName(path: string): string | null {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return SECRET_NAMES.find(({ pattern }) => pattern.test(name))?.kind ?? null;
}

/** Every secret in a text, in order of its lines. */
export function findSecrets(text: string): readonly FoundSecret[] {
  const found: { readonly at: number; readonly kind: string; readonly hint: string }[] = [];
  for (const { kind, pattern } of SECRET_PATTERNS) {
    for (const match of text.matchAll(pattern)) {
      const secret = match.groups?.['secret'] ?? match[0];
      if (!PLACEHOLDER.test(secret)) found.push({ at: match.index, kind, hint: kind === 'private key' ? match[0] : `${secret.slice(0, Math.min(6, Math.floor(secret.length / 3)))}…` });
    }
  }
  found.sort((a, b) => a.at - b.at);
  let line = 1;
  let counted = 0;
  return found.map(({ at, kind, hint }) => {
    for (let next = text.indexOf('\n', counted); next !== -1 && next < at; next = text.indexOf('\n', counted)) { line += 1; counted = next + 1; }
    return { kind, line, hint };
  });
}
