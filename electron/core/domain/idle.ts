import type { GuestActivity } from '#shared/guest-protocol.ts';

export type IdleInput = {
  readonly activity: GuestActivity;
  /** The last IDE or HTTP traffic that the gateway saw, Unix ms by the desktop's clock; null for none. */
  readonly gatewayAt: number | null;
  /** When the environment became usable, Unix ms. */
  readonly startedAt: number;
  /** 0 switches the idle stop off. */
  readonly idleMinutes: number;
  readonly now: number;
};
export type IdleVerdict = {
  readonly lastActivityAt: number;
  /** When the environment will be saved and ended if nothing happens; null when never or while a command runs. */
  readonly idleStopAt: number | null;
  /** Why it is still alive, for people, most recent first. */
  readonly reasons: readonly string[];
};

const LABELS = { ide: 'VS Code', terminal: 'a terminal', http: 'a web page', file: 'a changed file', exec: 'a command' } as const;

/**
 * Decides from the guest's activity and the gateway's. The guest's times are turned into ages first, because its
 * clock need not agree with ours. An open window alone is a reason to tell, not a reason to stay; a running command is.
 */
export function judgeIdle(input: IdleInput): IdleVerdict {
  const { activity, now } = input;
  const seen: { label: string; age: number }[] = (Object.keys(LABELS) as (keyof typeof LABELS)[])
    .flatMap((kind) => { const at = activity[kind]; return at === null ? [] : [{ label: LABELS[kind], age: Math.max(0, activity.now - at) }]; });
  if (input.gatewayAt !== null) seen.push({ label: 'the browser', age: Math.max(0, now - input.gatewayAt) });
  seen.sort((a, b) => a.age - b.age);
  const sinceStart = Math.max(0, now - input.startedAt);
  const age = Math.min(sinceStart, seen[0]?.age ?? sinceStart);
  const lastActivityAt = now - age;
  const reasons: string[] = [];
  if (activity.open.exec > 0) reasons.push(activity.open.exec === 1 ? 'A command is running' : `${activity.open.exec} commands are running`);
  const limit = input.idleMinutes * 60_000;
  for (const item of seen) {
    if (input.idleMinutes === 0 || item.age < limit) reasons.push(`${describeAge(item.age)}: ${item.label}`);
  }
  if (activity.open.ide > 0) reasons.push('VS Code is open');
  if (activity.open.terminal > 0) reasons.push('A terminal is open');
  if (input.idleMinutes === 0) reasons.push('The idle stop is off');
  const idleStopAt = input.idleMinutes === 0 || activity.open.exec > 0 ? null : lastActivityAt + limit;
  return { lastActivityAt, idleStopAt, reasons };
}

/** True when the environment should be saved and ended now. */
export function isIdle(verdict: IdleVerdict, now: number): boolean {
  return verdict.idleStopAt !== null && now >= verdict.idleStopAt;
}

function describeAge(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`;
}
