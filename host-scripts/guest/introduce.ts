import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { VesselError } from '#shared/errors.ts';
import type { GuestHealth } from '#shared/guest-protocol.ts';
import type { VmSpec, WorkContext } from '../drivers/driver.ts';
import { guestHealth, sendIdentity, sendWake } from './guest-client.ts';
import type { GuestAddress } from './guest-client.ts';
import { reachGuest } from './reach-guest.ts';

/** 256 bits, hex: the bearer token of one guest agent. */
export const makeToken = (): string => randomBytes(32).toString('hex');

export type Introduction = {
  readonly address: GuestAddress;
  /** The token the guest has now (from its template or its boot). */
  readonly bootstrapToken: string;
  /** The token it is to have, already in the record. */
  readonly token: string;
  readonly nameservers: readonly string[];
  readonly spec: Pick<VmSpec, 'id' | 'timezone' | 'env' | 'deadlineMs'>;
  /** A booting guest is knocked at until it answers; a clone answers at once. */
  readonly booting: boolean;
  /** True while the machine lives; a dead one ends the waiting at once. */
  readonly alive: () => Promise<boolean>;
};

/** passt accepts a connection before the guest does and gives up only after 10 s, so an attempt that hangs is repeated earlier; on a crowded host an answer takes seconds. */
const FIRST_ATTEMPT_MS = 4_000;
const MAX_ATTEMPT_MS = 10_000;
const RETRY_PAUSE_MS = 25;

async function attempt<T>(introduction: Pick<Introduction, 'alive'>, context: WorkContext, deadline: number, what: string, once: (attemptMs: number) => Promise<T | null>): Promise<T> {
  let last = 'no answer yet';
  for (let attemptMs = FIRST_ATTEMPT_MS; ; attemptMs = Math.min(attemptMs * 1.5, MAX_ATTEMPT_MS)) {
    context.signal.throwIfAborted();
    try {
      const result = await once(attemptMs);
      if (result !== null) return result;
    } catch (error) {
      const known = VesselError.from(error);
      if (known.code !== 'GUEST_UNREACHABLE') throw known;
      last = known.message;
    }
    if (!await introduction.alive()) throw new VesselError('VM_START_FAILED', `the machine ended while ${what}`);
    if (Date.now() > deadline) throw new VesselError('GUEST_TIMEOUT', `the guest was not ready in time (${what}: ${last})`);
    await delay(RETRY_PAUSE_MS, undefined, { signal: context.signal });
  }
}

async function giveIdentity(introduction: Introduction, context: WorkContext, deadline: number): Promise<void> {
  const { address, bootstrapToken, token, spec } = introduction;
  await attempt(introduction, context, deadline, 'waiting for its agent', async (attemptMs) => {
    try {
      await sendIdentity(address, bootstrapToken, {
        token, hostname: spec.id, machineId: randomBytes(16).toString('hex'), epochMs: Date.now(), entropy: randomBytes(64).toString('base64'),
        timezone: spec.timezone, nameservers: [...introduction.nameservers], env: { ...spec.env },
      }, { signal: context.signal, attemptMs });
    } catch (error) {
      // An earlier attempt whose answer was lost has already changed the token: then the new one opens the door.
      if (VesselError.from(error).code !== 'GUEST_UNAUTHORIZED') throw error;
      await guestHealth(address, token, { signal: context.signal, attemptMs });
    }
    return true;
  });
}

/**
 * Makes a freshly started guest somebody: token, host name, machine id, clock, entropy, resolvers, environment; then waits
 * until its IDE serves. Nothing may be routed to a guest before this resolves. Throws GUEST_TIMEOUT, IDE_NOT_READY, VM_START_FAILED.
 */
export async function introduceGuest(introduction: Introduction, context: WorkContext, startedAt: number): Promise<GuestHealth> {
  const deadline = startedAt + introduction.spec.deadlineMs;
  if (introduction.booting) {
    context.stage('boot');
    await reachGuest(introduction.address, introduction.bootstrapToken, context, { deadline, alive: introduction.alive });
  }
  context.stage('identity');
  await giveIdentity(introduction, context, deadline);
  context.stage('ready');
  return untilIdeServes(introduction, context, deadline);
}

/**
 * Makes a guest that slept awake: it gets the time and fresh randomness and keeps all else. Resolves once its IDE serves. Throws as
 * {@link introduceGuest}.
 */
export async function wakeGuest(introduction: Pick<Introduction, 'address' | 'token' | 'alive'>, context: WorkContext, deadline: number): Promise<GuestHealth> {
  await attempt(introduction, context, deadline, 'waiting for its agent to wake up', async (attemptMs) => {
    await sendWake(introduction.address, introduction.token, { epochMs: Date.now(), entropy: randomBytes(64).toString('base64') }, { signal: context.signal, attemptMs });
    return true;
  });
  return untilIdeServes(introduction, context, deadline);
}

async function untilIdeServes(introduction: Pick<Introduction, 'address' | 'token' | 'alive'>, context: WorkContext, deadline: number): Promise<GuestHealth> {
  let reached = false;
  try {
    return await attempt(introduction, context, deadline, 'waiting for its IDE', async (attemptMs) => {
      const health = await guestHealth(introduction.address, introduction.token, { signal: context.signal, attemptMs });
      reached = true;
      return health.ideReady ? health : null;
    });
  } catch (error) {
    if (reached && VesselError.from(error).code === 'GUEST_TIMEOUT') throw new VesselError('IDE_NOT_READY', undefined, { cause: error });
    throw error;
  }
}
