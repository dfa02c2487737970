import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { VesselError } from '#shared/errors.ts';
import { SECRET_BYTES } from './archive-key.ts';

/** 24 words (BIP 39, English) that are the secret itself, with a checksum. */
export const phraseOf = (secret: Uint8Array): string => entropyToMnemonic(secret, wordlist);

/** Throws ENCRYPTION_PHRASE_INVALID for a wrong number of words, an unknown word, or words in another order. Says nothing of the words. */
export function secretOf(phrase: string): Uint8Array {
  const words = phrase.trim().toLowerCase().split(/[^a-z]+/).filter((word) => word !== '');
  const unknown = words.findIndex((word) => !wordlist.includes(word));
  if (unknown >= 0) throw new VesselError('ENCRYPTION_PHRASE_INVALID', `Word ${unknown + 1} is none of the list`);
  try {
    const secret = mnemonicToEntropy(words.join(' '), wordlist);
    if (secret.length === SECRET_BYTES) return secret;
  } catch (error) {
    throw new VesselError('ENCRYPTION_PHRASE_INVALID', words.length === 24 ? 'The words do not belong together: one is another, or two are exchanged' : `There are ${words.length} words instead of 24`, { cause: error });
  }
  throw new VesselError('ENCRYPTION_PHRASE_INVALID', `There are ${words.length} words instead of 24`);
}
