/** Two 32-bit FNV-1a sums with different primes. */
const OFFSET = 0x811c9dc5;
const PRIMES = [0x01000193, 0x85ebca6b] as const;

/** A short name for exactly this text, the same on every side. Tells an accident apart, withstands no attacker. */
export function textVersion(text: string): string {
  let [a, b]: [number, number] = [OFFSET, OFFSET];
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    a = Math.imul(a ^ unit, PRIMES[0]);
    b = Math.imul(b ^ unit, PRIMES[1]) ^ (b >>> 15);
  }
  return `${text.length.toString(36)}-${(a >>> 0).toString(36)}-${(b >>> 0).toString(36)}`;
}
