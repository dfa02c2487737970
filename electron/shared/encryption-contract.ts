import { z } from 'zod';
import { ErrorShapeSchema } from './errors.ts';

/**
 * `locked`: the account's archives are encrypted and their key is not on this computer; `changed`: the cloud says something else than this computer
 * knows, without a proof, and nothing is uploaded until `turnOn` or `turnOff` decides; `unknown`: the store was never asked yet.
 */
export const StoreEncryptionSchema = z.object({
  store: z.enum(['supabase', 's3']),
  state: z.enum(['off', 'on', 'locked', 'changed', 'unknown']),
  /** Names the key without telling anything of it; null where none was ever made. */
  keyId: z.string().nullable(),
  /** Projects that were seen there and cannot be read. */
  lockedProjects: z.number().int(),
  /** Why the answer may be an old one; for `changed`, what differs. */
  error: ErrorShapeSchema.nullable(),
});

export const EncryptionStatusSchema = z.object({
  /** Of all stores together: `changed` when one is, else `locked` when one is, else `on` when one is; `unavailable` while no store is set up. */
  state: z.enum(['unavailable', 'off', 'on', 'locked', 'changed']),
  stores: z.array(StoreEncryptionSchema),
  /** What was begun and not yet ended: archives of both forms lie there. It goes on at the next start, unless somebody cancelled it. */
  unfinished: z.enum(['encrypt', 'decrypt']).nullable(),
  /** The operation that works on it now. */
  operationId: z.string().nullable(),
});
export type EncryptionStatus = z.infer<typeof EncryptionStatusSchema>;

const call = <I extends z.ZodType, O extends z.ZodType>(input: I, output: O) => ({ input, output });
const none = z.object({});

/** Calls about the encryption of archives in clouds. The only one whose answer holds a secret is `encryption.begin`. */
export const encryptionCalls = {
  'encryption.status': call(none, EncryptionStatusSchema),
  /**
   * The first half of turning it on. Where the account has no key yet one is made, and `phrase` is its only showing; `ask` names two of its
   * words (counted from 1) that `encryption.turnOn` wants to hear. With a key that is already here both are null and empty. Throws ENCRYPTION_LOCKED.
   */
  'encryption.begin': call(none, z.object({ keyId: z.string(), phrase: z.string().nullable(), ask: z.array(z.number().int()) })),
  /** Turns it on, and encrypts what is already there. Throws ENCRYPTION_NOT_CONFIRMED; then nothing has changed. */
  'encryption.turnOn': call(z.object({ keyId: z.string(), words: z.array(z.string().max(40)).max(24).default([]) }), z.object({ operationId: z.string() })),
  /** New uploads are plain from now on; with `decrypt` what is there becomes plain as well, else it stays as it is and readable here. */
  'encryption.turnOff': call(z.object({ decrypt: z.boolean().default(false) }), z.object({ operationId: z.string().nullable() })),
  /** Keeps the key of a phrase. Throws ENCRYPTION_PHRASE_INVALID, ENCRYPTION_WRONG_KEY; then nothing has changed. */
  'encryption.unlock': call(z.object({ phrase: z.string().min(1).max(1000) }), EncryptionStatusSchema),
  /** Goes on with what was begun. */
  'encryption.resume': call(none, z.object({ operationId: z.string() })),
} as const;
