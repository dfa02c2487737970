import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import type { EncryptionChange, EncryptionPin } from '../../ports/encryption.ts';
import type { EncryptionRecord } from '../../ports/remote-store.ts';
import type { ArchiveKey } from './archive-key.ts';
import type { KeyRing } from './key-ring.ts';

const StatementSchema = z.object({ enabled: z.boolean(), serial: z.number().int().nonnegative() });
type Statement = z.infer<typeof StatementSchema>;

/** What holds for an account: what its record says, or what this computer knows better. */
export type Policy = {
  readonly keyId: string;
  readonly enabled: boolean;
  /** Null when the key is not on this computer. */
  readonly key: ArchiveKey | null;
  /** Why nothing may be uploaded until a person has chosen. */
  readonly change: EncryptionChange | null;
  /** The record carries a statement that only the key could make. */
  readonly stated: boolean;
  /** Of the newest statement that is known. */
  readonly serial: number;
};

const placeOf = (account: string): string => `encryption\n${account}`;

/** "On" or "off" as only a computer with the key can say it. `serial` grows with each statement, so that an old one is no news. */
export const makeStatement = (key: ArchiveKey, account: string, statement: Statement): string => key.sealText(JSON.stringify(statement), placeOf(account));

function readStatement(key: ArchiveKey, account: string, { proof }: EncryptionRecord): Statement | null {
  const text = proof == null ? null : key.openText(proof, placeOf(account));
  const parsed = StatementSchema.safeParse(text === null ? null : JSON.parse(text));
  return parsed.success ? parsed.data : null;
}

/**
 * Whoever runs the cloud can write its record: "on" is taken from anybody, because encrypting harms nobody, but "off" only from the key. What
 * differs from the pin of this computer without such a proof is a change that a person has to judge. Null where encryption was never on.
 */
export async function judge(record: EncryptionRecord | null, pin: EncryptionPin | null, account: string, ring: KeyRing): Promise<Policy | null> {
  if (record === null) return pin === null ? null : { ...pin, key: await ring.key(pin.keyId), change: pin.enabled ? 'gone' : null, stated: false };
  const key = await ring.key(record.keyId);
  const known = pin?.keyId === record.keyId ? pin : null;
  const serial = known?.serial ?? 0;
  if (key === null && pin?.enabled === true && known === null) return { keyId: pin.keyId, enabled: true, key: await ring.key(pin.keyId), change: 'key', stated: false, serial: pin.serial };
  const statement = key === null ? null : readStatement(key, account, record);
  const stated = statement !== null && statement.enabled === record.enabled && statement.serial >= serial;
  const { keyId, enabled } = record;
  if (stated || enabled) return { keyId, enabled, key, change: null, stated, serial: Math.max(serial, statement?.serial ?? 0) };
  // Off without a proof: as this computer knows it already, or on a computer that cannot check and never saw it on.
  if (known?.enabled === false || (key === null && pin === null)) return { keyId, enabled, key, change: null, stated: false, serial };
  const held = pin?.enabled === true ? pin.keyId : keyId;
  return { keyId: held, enabled: true, key: await ring.key(held), change: 'off', stated: false, serial: pin?.serial ?? 0 };
}

const WORDS: Readonly<Record<EncryptionChange, string>> = {
  gone: 'The cloud no longer has the record that says your archives are encrypted',
  off: 'The cloud says that encryption is off, and no computer with your key said so',
  key: 'The cloud names another encryption key than yours',
};

export const changed = (change: EncryptionChange): VesselError => new VesselError('ENCRYPTION_CHANGED', `${WORDS[change]}. Nothing is uploaded until you choose`, {
  details: { change },
  ...(change === 'key' ? { hint: 'If you set up that key on another computer, run `vessel encryption unlock` with its phrase. If not, run `vessel encryption on`: it puts your key back.' } : {}),
});
