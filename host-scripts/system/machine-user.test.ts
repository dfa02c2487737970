import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeUnless } from '../../build/testing/describe-unless.ts';
import { MACHINE_UIDS, claimMachineUser, probeUser, releaseMachineUser, sweepMachineUsers } from './machine-user.ts';

const service = { name: 'vessel', uid: 999, gid: 995 };
let run: string;
const socketDir = (name: string): string => { const path = join(run, name); mkdirSync(path, { recursive: true }); return path; };
beforeEach(() => { run = mkdtempSync(join(tmpdir(), 'vessel-uids-')); });
afterEach(() => { rmSync(run, { recursive: true, force: true }); });

/** In a container that was given few ids nothing of this can be had. */
const whole = readFileSync('/proc/self/uid_map', 'utf8').includes('4294967295');

describe('the range of machines\' users', () => {
  it('touches no other that systemd or a distribution gives out', () => {
    const last = MACHINE_UIDS.first + MACHINE_UIDS.count - 1;
    for (const [first, end] of [[0, 65_535], [100_000, 600_100_000], [524_288, 1_879_048_191], [2_147_352_576, 4_294_967_295]] as const) expect(last < first || MACHINE_UIDS.first > end).toBe(true);
    for (const file of ['/etc/passwd', '/etc/group', '/etc/subuid', '/etc/subgid']) {
      let text = '';
      try { text = readFileSync(file, 'utf8'); } catch { continue; }
      for (const number of text.match(/\d{10,}/g) ?? []) expect(Number(number) < MACHINE_UIDS.first || Number(number) > last).toBe(true);
    }
  });
});

describeUnless(whole ? null : 'needs a user namespace with all ids', 'a machine\'s user', () => {
  it('is one that no other machine has, however many are started at once', async () => {
    const users = await Promise.all(Array.from({ length: 60 }, (_, index) => claimMachineUser(socketDir(`m${index}`), service)));
    expect(new Set(users.map(({ uid }) => uid)).size).toBe(60);
    for (const { uid, gid } of users) {
      expect(uid).toBeGreaterThanOrEqual(MACHINE_UIDS.first);
      expect(uid).toBeLessThan(MACHINE_UIDS.first + MACHINE_UIDS.count - 1);
      expect(gid).toBe(uid);
    }
    expect(users.map(({ uid }) => uid)).not.toContain((await probeUser(service)).uid);
  });

  it('stays the same while the machine exists, is given back with it, and keeps the group of the devices it needs', async () => {
    const one = socketDir('one');
    const user = await claimMachineUser(one, { ...service, gid: 108, sharesGroup: true });
    expect(user.gid).toBe(108);
    expect(await claimMachineUser(one, { ...service, gid: 108, sharesGroup: true })).toEqual(user);
    await releaseMachineUser(one);
    await releaseMachineUser(one);
    expect(readdirSync(join(run, 'uids'))).toEqual([]);
  });

  it('of a machine that is gone is swept, and nothing is left in the end', async () => {
    await claimMachineUser(socketDir('lives'), service);
    await claimMachineUser(socketDir('gone'), service);
    rmSync(join(run, 'gone'), { recursive: true });
    await sweepMachineUsers(run);
    expect(readdirSync(join(run, 'uids')).length).toBe(1);
    await releaseMachineUser(join(run, 'lives'));
    await sweepMachineUsers(run);
    await sweepMachineUsers(run);
    expect(readdirSync(run)).toEqual(['lives']);
  });
});
