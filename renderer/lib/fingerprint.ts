/** What a person typed beside a fingerprint that is to be confirmed. */
export type TypedVerdict = 'empty' | 'unfinished' | 'confirmed' | 'different';

/** The base64 of a SHA-256 without padding. */
const FINGERPRINT = /SHA256:([A-Za-z0-9+/]{43})/;

/**
 * Whether the typed text confirms the shown fingerprint: the word `yes` after a comparison by eye, or a fingerprint that
 * was given by somebody (alone, or in a line of `ssh-keygen -l`) and is the very same. Another one is an alarm, not a typo.
 */
export function judgeTyped(typed: string, shown: string): TypedVerdict {
  const text = typed.trim();
  if (text === '') return 'empty';
  if (text.toLowerCase() === 'yes') return 'confirmed';
  const bare = (value: string): string => value.replace(/^SHA256:/, '').replace(/=+$/, '');
  const given = FINGERPRINT.exec(text)?.[1] ?? (/^[A-Za-z0-9+/]{43}=?$/.test(text) ? bare(text) : null);
  if (given === null) return 'unfinished';
  return given === bare(shown) ? 'confirmed' : 'different';
}

/** In groups of eight after `SHA256:`, which eyes can follow; the characters stay the same. */
export function fingerprintGroups(fingerprint: string): readonly string[] {
  return fingerprint.replace(/^SHA256:/, '').match(/.{1,8}/g) ?? [];
}
