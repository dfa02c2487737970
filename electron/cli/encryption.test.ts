import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EncryptionStatus } from '#shared/encryption-contract.ts';
import { VesselError } from '#shared/errors.ts';
import { runVessel } from './run.ts';
import { startFakeVessel, type FakeVessel, type SomeHandlers } from './testing/fake-vessel.ts';
import { runIn, testTerminal } from './testing/test-runtime.ts';

let home = '';
let vessel: FakeVessel | null = null;
beforeEach(() => { home = mkdtempSync(join(tmpdir(), 'vessel-cli-')); });
afterEach(async () => { await vessel?.close(); vessel = null; rmSync(home, { recursive: true, force: true }); });
const serve = async (some: SomeHandlers): Promise<void> => { vessel = await startFakeVessel(home, some); };
const phrase = Array.from({ length: 24 }, (_, index) => `word${String.fromCharCode(97 + index)}`).join(' ');
const locked: EncryptionStatus = { state: 'locked', stores: [{ store: 'supabase', state: 'locked', keyId: 'a'.repeat(32), lockedProjects: 2, error: null }], unfinished: null, operationId: null };

describe('vessel encryption', () => {
  it('says with its exit code that archives are locked, and what to do', async () => {
    await serve({ calls: { 'encryption.status': async () => locked } });
    expect(await runIn(home, 'encryption', 'status', '--json')).toMatchObject({ code: 1, json: locked });
    expect((await runIn(home, 'encryption', 'status')).out).toMatch(/locked[^]*supabase[^]*2/);
  });

  it('asks what to believe when the cloud says something else, with exit code 1', async () => {
    const error = new VesselError('ENCRYPTION_CHANGED', 'The cloud says that encryption is off').toShape();
    const status: EncryptionStatus = { state: 'changed', stores: [{ store: 'supabase', state: 'changed', keyId: 'a'.repeat(32), lockedProjects: 0, error }], unfinished: null, operationId: null };
    await serve({ calls: { 'encryption.status': async () => status } });
    const shown = await runIn(home, 'encryption', 'status');
    expect(shown.code).toBe(1);
    expect(shown.out).toMatch(/changed[^]*says that encryption is off[^]*vessel encryption off[^]*vessel encryption on/);
  });

  it('prints the phrase once for a script, also when turning it on failed', async () => {
    const heard: unknown[] = [];
    await serve({ calls: {
      'encryption.begin': async () => ({ keyId: 'k', phrase, ask: [3, 17] }),
      'encryption.turnOn': async (input) => { heard.push(input); if (heard.length === 1) return { operationId: 'op' }; throw new VesselError('CLOUD_OFFLINE'); },
    } });
    expect(await runIn(home, 'encryption', 'on', '--json')).toMatchObject({ code: 0, json: { keyId: 'k', phrase, operationId: 'op', error: null } });
    expect(heard).toEqual([{ keyId: 'k', words: ['wordc', 'wordq'] }]);
    expect(await runIn(home, 'encryption', 'on', '--json')).toMatchObject({ code: 1, json: { phrase, operationId: null, error: { code: 'CLOUD_OFFLINE' } } });
    expect((await runIn(home, 'encryption', 'on')).out).toContain(phrase);
  });

  it('reads the phrase from stdin, never from the command line', async () => {
    const heard: unknown[] = [];
    await serve({ calls: { 'encryption.unlock': async (input) => { heard.push(input); return { ...locked, state: 'on' }; } } });
    const terminal = testTerminal(home);
    terminal.stdin.end(`${phrase}\n`);
    expect(await runVessel(['encryption', 'unlock', '--json'], terminal.runtime)).toBe(0);
    expect(heard).toEqual([{ phrase }]);
    expect((await runIn(home, 'encryption', 'unlock', phrase, '--json')).code).not.toBe(0);
  });

  it('shows the phrase on a terminal, and turns nothing on until two of its words were typed', async () => {
    const heard: unknown[] = [];
    await serve({ calls: {
      'encryption.begin': async () => ({ keyId: 'k', phrase, ask: [1, 24] }),
      'encryption.turnOn': async (input) => { heard.push(input.words); throw new VesselError(heard.length === 1 ? 'ENCRYPTION_NOT_CONFIRMED' : 'CLOUD_OFFLINE'); },
    } });
    const terminal = testTerminal(home, { tty: true });
    const ended = runVessel(['encryption', 'on'], terminal.runtime);
    for (const [index, answer] of ['nonsense', 'words', 'worda', 'wordx'].entries()) {
      await expect.poll(() => terminal.err().split(/Word \d+: /).length - 1).toBe(index + 1);
      terminal.stdin.write(`${answer}\r`);
    }
    expect(await ended).not.toBe(0);
    const shown = terminal.err();
    expect(heard).toEqual([['nonsense', 'words'], ['worda', 'wordx']]);
    expect(shown).toContain('24 wordx');
    expect(terminal.out()).not.toContain('wordx');
  });
});
