import { randomBytes } from 'node:crypto';
import type { ArchiveKeys } from '../../ports/encryption.ts';
import type { SecretStore } from '../../ports/secret-store.ts';
import { makeArchiveKey, SECRET_BYTES, type ArchiveKey } from './archive-key.ts';
import { phraseOf, secretOf } from './recovery-phrase.ts';

export type KeyRing = ArchiveKeys & { key(keyId: string): Promise<ArchiveKey | null> };

/** Keys by their ids, each a secret of its own in the SecretStore. */
export function makeKeyRing(secrets: SecretStore): KeyRing {
  const known = new Map<string, ArchiveKey>();
  const nameOf = (keyId: string): string => `archive-key:${keyId}`;
  const key = async (keyId: string): Promise<ArchiveKey | null> => {
    const kept = known.get(keyId);
    if (kept !== undefined) return kept;
    const text = await secrets.get(nameOf(keyId));
    if (text === null) return null;
    const made = makeArchiveKey(Buffer.from(text, 'base64'));
    if (made.id !== keyId) return null;
    known.set(keyId, made);
    return made;
  };
  return {
    key,
    has: async (keyId) => await key(keyId) !== null,
    make() {
      const secret = randomBytes(SECRET_BYTES);
      return { keyId: makeArchiveKey(secret).id, phrase: phraseOf(secret) };
    },
    keyIdOf: (phrase) => makeArchiveKey(secretOf(phrase)).id,
    async keep(phrase) {
      const secret = secretOf(phrase);
      const made = makeArchiveKey(secret);
      await secrets.put(nameOf(made.id), Buffer.from(secret).toString('base64'), 'forever');
      known.set(made.id, made);
      return made.id;
    },
  };
}
