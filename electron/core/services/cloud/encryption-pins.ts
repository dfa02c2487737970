import { z } from 'zod';
import type { EncryptionPins } from '../../ports/encryption.ts';
import type { SyncStore } from '../../ports/sync-store.ts';

const PinSchema = z.object({ keyId: z.string(), enabled: z.boolean(), serial: z.number().int() });

/** The pins of one store among the facts of the sync: one for each account, so that another account neither sees nor ends it. */
export function makeEncryptionPins(facts: SyncStore['facts'], account: () => string): EncryptionPins {
  const fact = (): string => `encryption-pin:${account()}`;
  return {
    account,
    get() {
      const text = facts.get(fact());
      return text === null ? null : PinSchema.parse(JSON.parse(text));
    },
    put: (pin) => facts.put(fact(), pin === null ? null : JSON.stringify(pin)),
  };
}
