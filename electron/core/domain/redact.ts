const MASK = '•••';
/** Shapes of secrets that may slip into a log whoever wrote it: bearer headers, token-like parameters, credentials in URLs. */
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, `$1 ${MASK}`],
  [/((?:token|ticket|secret|password|passwd|api[_-]?key|authorization|cookie|session)["']?\s*[=:]\s*["']?)[^\s"'&,;}]{4,}/gi, `$1${MASK}`],
  // It begins at the colon: beginning at the scheme, every letter of a long word would be a try that runs to the end of the word.
  [/(:\/\/)[^\s/:@]+:[^\s/@]+@/g, `$1${MASK}@`],
];
/** Shorter values would mask ordinary words. */
const MIN_SECRET_LENGTH = 6;

/** `text` without secrets: the given ones wherever they stand, and whatever looks like one. */
export function redact(text: string, secrets: Iterable<string> = []): string {
  let clean = text;
  for (const secret of secrets) if (secret.length >= MIN_SECRET_LENGTH) clean = clean.replaceAll(secret, MASK);
  for (const [pattern, replacement] of PATTERNS) clean = clean.replace(pattern, replacement);
  return clean;
}
