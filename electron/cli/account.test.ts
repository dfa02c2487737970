import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AccountStatus } from '#shared/cloud-contract.ts';
import { VesselError } from '#shared/errors.ts';
import { runVessel } from './run.ts';
import { startFakeVessel, type FakeVessel, type SomeHandlers } from './testing/fake-vessel.ts';
import { runIn, testTerminal } from './testing/test-runtime.ts';

let home = '';
let vessel: FakeVessel | null = null;
beforeEach(() => { home = mkdtempSync(join(tmpdir(), 'vessel-cli-')); });
afterEach(async () => { await vessel?.close(); vessel = null; rmSync(home, { recursive: true, force: true }); });
const serve = async (some: SomeHandlers): Promise<void> => { vessel = await startFakeVessel(home, some); };
const status: AccountStatus = {
  state: 'offline', url: 'https://x.example.org', email: 'ada@example.com', bucket: null, device: { id: 'd', name: 'laptop' }, defaultStore: 'supabase', plan: { maxFileBytes: 50 * 1024 ** 2, totalBytes: null },
  usedBytes: null, pending: 3, working: false, lastSyncAt: null, error: new VesselError('CLOUD_OFFLINE').toShape(),
};

describe('vessel account', () => {
  it('shows the state, what is only here, and the problem with its fix', async () => {
    await serve({ calls: { 'account.status': async () => status } });
    expect((await runIn(home, 'account', 'status', '--json')).json).toEqual(status);
    expect((await runIn(home, 'account', 'status')).out).toMatch(/offline[^]*ada@example.com[^]*52.4 MB for a file, no limit in all[^]*3 changes[^]*CLOUD_OFFLINE/);
  });

  it('reads the password from stdin, never from the command line', async () => {
    const seen: unknown[] = [];
    await serve({ calls: { 'account.signIn': async (input) => { seen.push(input); return { ...status, state: 'online' }; } } });
    const terminal = testTerminal(home);
    terminal.stdin.end('correct horse\nmore');
    expect(await runVessel(['account', 'sign-in', 'ada@example.com', '--json'], terminal.runtime)).toBe(0);
    expect(seen).toEqual([{ email: 'ada@example.com', password: 'correct horse', leave: false }]);
    expect((await runIn(home, 'account', 'sign-in', 'ada@example.com', '--json')).json).toMatchObject({ error: { code: 'BAD_REQUEST' } });
  });

  it('says with its exit code when something is still owed', async () => {
    await serve({ calls: { 'sync.now': async () => ({ pushed: 0, pulled: 0, pending: 2, error: new VesselError('CLOUD_OFFLINE').toShape() }) } });
    expect((await runIn(home, 'sync', '--json')).code).toBe(1);
  });
});
