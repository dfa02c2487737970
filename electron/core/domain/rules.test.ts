import { describe, expect, it } from 'vitest';
import type { GuestActivity } from '#shared/guest-protocol.ts';
import { isIdle, judgeIdle } from './idle.ts';
import { Mailbox } from './mailbox.ts';
import { overallProgress } from './progress.ts';
import { redact } from './redact.ts';
import { isPurgeable, revisionsToPrune } from './retention.ts';

const DAY = 86_400_000;
const NOW = 1000 * DAY;
const revisions = (ages: readonly number[]): { rev: number; createdAt: number }[] => ages.map((age, index) => ({ rev: index + 1, createdAt: NOW - age * DAY }));

describe('retention', () => {
  it('never prunes the last revision, however old and however few are kept', () => {
    expect(revisionsToPrune(revisions([5000]), 1, { keepRevisions: 1, keepDays: 1 }, NOW)).toEqual([]);
  });
  it('never prunes the head, even when a newer revision exists', () => {
    expect(revisionsToPrune(revisions([5000, 4000, 1]), 1, { keepRevisions: 1, keepDays: 1 }, NOW)).toEqual([2]);
  });
  it('prunes by count, oldest first', () => expect(revisionsToPrune(revisions([4, 3, 2, 1]), 4, { keepRevisions: 2, keepDays: 100 }, NOW)).toEqual([1, 2]));
  it('prunes by age', () => expect(revisionsToPrune(revisions([40, 31, 29, 1]), 4, { keepRevisions: 100, keepDays: 30 }, NOW)).toEqual([1, 2]));
  it('purges a deleted project after 30 days and not before', () => {
    expect(isPurgeable(NOW - 29 * DAY, NOW)).toBe(false);
    expect(isPurgeable(NOW - 31 * DAY, NOW)).toBe(true);
    expect(isPurgeable(null, NOW)).toBe(false);
  });
});

describe('the idle clock', () => {
  const guestNow = 5_000_000_000;
  const activity = (change: Partial<GuestActivity> = {}): GuestActivity => ({ now: guestNow, ide: null, terminal: null, http: null, file: null, exec: null, open: { ide: 0, exec: 0, terminal: 0 }, changeCounter: 1, ...change });
  const judge = (guest: GuestActivity, gatewayAt: number | null = null, idleMinutes = 30): ReturnType<typeof judgeIdle> => judgeIdle({ activity: guest, gatewayAt, startedAt: NOW - 3_600_000, idleMinutes, now: NOW });

  it('counts from the start when nothing ever happened', () => expect(judge(activity()).idleStopAt).toBe(NOW - 3_600_000 + 30 * 60_000));
  it('does not mind that the guest has another clock', () => expect(judge(activity({ terminal: guestNow - 60_000 })).lastActivityAt).toBe(NOW - 60_000));
  it('never stops while a command runs', () => expect(isIdle(judge(activity({ open: { ide: 0, exec: 1, terminal: 0 } })), NOW)).toBe(false));
  it('stops although a window is open in which nobody does anything', () => expect(isIdle(judge(activity({ ide: guestNow - 31 * 60_000, open: { ide: 1, exec: 0, terminal: 0 } })), NOW)).toBe(true));
  it('counts what the gateway saw', () => expect(isIdle(judge(activity(), NOW - 1000), NOW)).toBe(false));
  it('never stops when switched off', () => expect(judge(activity(), null, 0).idleStopAt).toBeNull());
  it('says why it is still alive, most recent first', () => {
    const { reasons } = judge(activity({ file: guestNow - 120_000, exec: guestNow - 5_000, open: { ide: 1, exec: 1, terminal: 0 } }));
    expect(reasons).toEqual(['A command is running', '5 s ago: a command', '2 min ago: a changed file', 'VS Code is open']);
  });
});

describe('progress', () => {
  it('is the weighted mean, and a skipped step counts whole', () => {
    expect(overallProgress([{ weight: 3, state: 'skipped', progress: 0 }, { weight: 1, state: 'running', progress: 0.5 }, { weight: 4, state: 'pending', progress: 0 }])).toBeCloseTo(3.5 / 8);
  });
  it('is zero without steps', () => expect(overallProgress([])).toBe(0));
});

describe('redaction', () => {
  it.each([
    ['Authorization: Bearer abcdef1234567890', 'abcdef1234567890'],
    ['GET /?ticket=9f8e7d6c5b HTTP/1.1', '9f8e7d6c5b'],
    ['{"token":"s3cr3tvalue"}', 's3cr3tvalue'],
    ['git clone https://me:hunter2@host/x', 'hunter2'],
  ])('masks the secret of %s', (line, secret) => expect(redact(line)).not.toContain(secret));
  it('masks known secrets wherever they stand', () => expect(redact('x=my-known-value!', ['my-known-value'])).toBe('x=•••!'));
  it('leaves ordinary words alone', () => expect(redact('The session took 3 s; tokens: 5')).toBe('The session took 3 s; tokens: 5'));
});

async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('a mailbox', () => {
  it('keeps only the newest of a kind for a slow reader, and ends after the last item', async () => {
    const mailbox = new Mailbox<number>(null);
    for (let value = 0; value < 1000; value += 1) mailbox.push(value, 'same');
    mailbox.push(7);
    mailbox.close();
    mailbox.push(8);
    expect(await all(mailbox)).toEqual([999, 7]);
  });
  it('ends when the signal aborts while it is being waited for', async () => {
    const abort = new AbortController();
    const reading = all(new Mailbox<number>(abort.signal));
    abort.abort();
    expect(await reading).toEqual([]);
  });
});
