import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';

export type Secrets = Readonly<Record<string, string>>;
/** How secrets stand in their file. */
export type SecretFormat = {
  encode(secrets: Secrets): string;
  /** null when the text does not hold secrets, or was sealed with another key, or was changed. */
  decode(text: string): Secrets | null;
};

const SecretsSchema = z.record(z.string(), z.string());
const PlainSchema = z.object({ v: z.literal(1), secrets: SecretsSchema });
const SealedSchema = z.object({ v: z.literal(1), cipher: z.literal('aes-256-gcm'), keyId: z.string(), iv: z.base64(), tag: z.base64(), data: z.base64() });

/** As private as its file is. */
export const plainFormat: SecretFormat = {
  encode: (secrets) => JSON.stringify({ v: 1, secrets }),
  decode: (text) => PlainSchema.safeParse(parseJson(text)).data?.secrets ?? null,
};

export const KEY_BYTES = 32;
/** As NIST SP 800-38D recommends for GCM; random for each writing, of which there are a few a year. */
const IV_BYTES = 12;

/** Which key a sealed file needs, without telling anything of it. */
export const keyIdOf = (key: Buffer): string => createHash('sha256').update('vessel-secret-key-id\0').update(key).digest('hex').slice(0, 16);
/** The key that a sealed file needs; null when it is no sealed file. */
export const neededKeyId = (text: string): string | null => SealedSchema.safeParse(parseJson(text)).data?.keyId ?? null;

/** Encrypted and authenticated with a key of {@link KEY_BYTES} that is kept elsewhere. */
export function sealedFormat(key: Buffer): SecretFormat {
  const keyId = keyIdOf(key);
  return {
    encode: (secrets) => {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(keyId));
      const data = Buffer.concat([cipher.update(JSON.stringify(secrets), 'utf8'), cipher.final()]);
      return JSON.stringify({ v: 1, cipher: 'aes-256-gcm', keyId, iv: iv.toString('base64'), tag: cipher.getAuthTag().toString('base64'), data: data.toString('base64') });
    },
    decode: (text) => {
      const sealed = SealedSchema.safeParse(parseJson(text)).data;
      if (sealed === undefined || sealed.keyId !== keyId) return null;
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(sealed.iv, 'base64'), { authTagLength: 16 }).setAAD(Buffer.from(keyId)).setAuthTag(Buffer.from(sealed.tag, 'base64'));
        const text = Buffer.concat([decipher.update(Buffer.from(sealed.data, 'base64')), decipher.final()]).toString('utf8');
        return SecretsSchema.safeParse(parseJson(text)).data ?? null;
      } catch {
        return null; // changed, or cut short: GCM says no more than that
      }
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // the schema refuses it
  }
}
