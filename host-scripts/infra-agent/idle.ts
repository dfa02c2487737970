import { VesselError } from '#shared/errors.ts';
import type { GuestActivity } from '#shared/guest-protocol.ts';
import type { HostResult, Vm } from '#shared/host-protocol.ts';
import { guestActivity } from '../guest/guest-client.ts';
import type { PresenceFolder } from './presence.ts';

const MINUTE_MS = 60_000;
/** A guest that does not answer in this time is busy, and left alone. */
const ACTIVITY_MS = 10_000;

/** Milliseconds that nobody did anything in a guest; 0 while a command runs. Ages are by the guest's own clock, which need not agree with ours. */
export function idleFor(activity: GuestActivity, startedAt: number, now: number): number {
  if (activity.open.exec > 0) return 0;
  const ages = [activity.ide, activity.terminal, activity.http, activity.file, activity.exec].flatMap((at) => (at === null ? [] : [Math.max(0, activity.now - at)]));
  return Math.min(Math.max(0, now - startedAt), ...ages);
}

export type IdleGiven = {
  readonly list: () => Promise<readonly Vm[]>;
  readonly hibernate: (id: string) => Promise<Vm>;
  readonly presence: PresenceFolder;
  readonly params: { readonly idleMinutes: number; readonly awayMinutes: number };
  readonly signal: AbortSignal;
  readonly now: () => number;
};

async function reasonToKeep({ params, signal, now }: IdleGiven, vm: Vm): Promise<string | null> {
  if (vm.state !== 'running') return `it is ${vm.state}`;
  if (vm.address === null || vm.token === null) return 'it has no address';
  const activity = await guestActivity(vm.address, vm.token, { signal, attemptMs: ACTIVITY_MS });
  if (activity.open.exec > 0) return 'a command is running in it';
  const idle = idleFor(activity, vm.startedAt ?? now(), now());
  return idle < params.idleMinutes * MINUTE_MS ? `it was used ${Math.round(idle / MINUTE_MS)} min ago` : null;
}

/** One round of the host's timer: puts to sleep what nobody uses, but only when no desktop looks after it. One VM's failure does not keep the others. */
export async function hibernateIdle(given: IdleGiven): Promise<HostResult<'idle'>> {
  const heard = await given.presence.lastHeard();
  const desktopAway = heard === null || given.now() - heard >= given.params.awayMinutes * MINUTE_MS;
  const hibernated: string[] = [];
  const kept: { id: string; why: string }[] = [];
  for (const vm of await given.list()) {
    given.signal.throwIfAborted();
    try {
      // One whose way to sleep was cut short sleeps for everybody, but still takes its memory.
      const why = !desktopAway ? 'a desktop is connected' : vm.state === 'hibernated' ? null : await reasonToKeep(given, vm);
      if (why === null) await given.hibernate(vm.id);
      if (why !== null) kept.push({ id: vm.id, why });
      else if (vm.state !== 'hibernated') hibernated.push(vm.id);
    } catch (error) {
      const known = VesselError.from(error);
      if (known.code === 'CANCELLED') throw known;
      kept.push({ id: vm.id, why: `${known.code}: ${known.message}` });
    }
  }
  return { status: 'success', desktopAway, hibernated, kept };
}
