import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CallOutput, Host, Prompt, StreamItem } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import { runVessel } from './run.ts';
import { startFakeVessel, type FakeVessel, type SomeHandlers } from './testing/fake-vessel.ts';
import { runIn, testTerminal, type TestTerminal } from './testing/test-runtime.ts';

let home = '';
let vessel: FakeVessel | null = null;
beforeEach(() => { home = mkdtempSync(join(tmpdir(), 'vessel-cli-')); });
afterEach(async () => { await vessel?.close(); vessel = null; rmSync(home, { recursive: true, force: true }); });
const serve = async (some: SomeHandlers): Promise<void> => { vessel = await startFakeVessel(home, some); };

const host: Host = {
  id: 'box', name: 'box', kind: 'ssh', status: 'not-provisioned', facts: null, factsAt: null, activeOperationId: null, ssh: { target: 'ada@box', identityFile: null }, connection: { state: 'connected', nextTryAt: null, error: null },
  probe: { probedAt: 1, roundTripMs: 12.4, hostname: 'box', user: 'ada', uid: 1000, groups: [], os: { id: 'debian', version: '12', name: 'Debian 12' }, kernel: '6.1', architecture: 'x86_64', cpus: 4, memoryTotalBytes: 8e9, memoryAvailableBytes: 4e9, diskFreeBytes: 1e11, kvm: 'usable', sudo: 'passwordless' },
};
const unknown = (fingerprint: string): VesselError => new VesselError('HOST_KEY_UNKNOWN', 'box is not known yet', { details: { name: 'box', type: 'ssh-ed25519', fingerprint } });

/** Types each line when the terminal shows the text before it. */
async function talk(terminal: TestTerminal, ...lines: readonly (readonly [string, string])[]): Promise<void> {
  let from = 0;
  for (const [shown, typed] of lines) {
    for (let tries = 0; !terminal.err().slice(from).includes(shown); tries += 1) {
      if (tries > 200) throw new Error(`never saw ${shown} in ${terminal.err()}`);
      await sleep(10);
    }
    from = terminal.err().length;
    terminal.stdin.write(typed);
  }
}

describe('host add', () => {
  it('hands over what was named, and prints what was found', async () => {
    let seen: unknown;
    await serve({ calls: { 'hosts.add': async (input) => { seen = input; return host; } } });
    const ran = await runIn(home, 'host', 'add', 'ada@box', '--name', 'Box', '--identity', 'keys/k', '--accept-host-key', 'SHA256:a', '--accept-host-key', 'SHA256:b', '--json');
    expect([ran.code, ran.json]).toEqual([0, host]);
    expect(seen).toEqual({ target: 'ada@box', name: 'Box', identityFile: join(home, 'keys/k'), acceptHostKeys: ['SHA256:a', 'SHA256:b'] });
    expect((await runIn(home, 'host', 'add', 'ada@box')).out).toMatch(/Debian 12[\s\S]*sudo: passwordless[\s\S]*12 ms[\s\S]*Added as box/);
  });

  it('prompts for nothing without a terminal: the failure has its code and carries the fingerprint', async () => {
    await serve({ calls: { 'hosts.add': async ({ promptScope }) => { expect(promptScope).toBeUndefined(); throw unknown('SHA256:seen'); } } });
    const ran = await runIn(home, 'host', 'add', 'ada@box', '--json');
    expect(ran.code).toBe(5);
    expect(ran.json).toMatchObject({ error: { code: 'HOST_KEY_UNKNOWN', details: { fingerprint: 'SHA256:seen' } } });
  });

  it('shows on a terminal the key of each machine on the way and takes it only when confirmed', async () => {
    const known: string[][] = [];
    await serve({
      calls: { 'hosts.add': async ({ acceptHostKeys }) => { known.push(acceptHostKeys); for (const one of ['SHA256:first', 'SHA256:second']) if (!acceptHostKeys.includes(one)) throw unknown(one); return host; } },
      streams: { 'prompts.watch': async function* (_input, { signal }) { await new Promise((resolve) => signal.addEventListener('abort', resolve)); yield* [] as StreamItem<'prompts.watch'>[]; } },
    });
    const terminal = testTerminal(home, { tty: true });
    const [code] = await Promise.all([runVessel(['host', 'add', 'ada@box'], terminal.runtime), talk(terminal, ['Type yes', 'yes\r'], ['Type yes', 'SHA256:second\r'])]);
    expect(code).toBe(0);
    expect(known).toEqual([[], ['SHA256:first'], ['SHA256:first', 'SHA256:second']]);
    const refused = testTerminal(home, { tty: true });
    expect((await Promise.all([runVessel(['host', 'add', 'ada@box'], refused.runtime), talk(refused, ['Type yes', 'no\r'])]))[0]).toBe(5);
    // A wrong fingerprint on the command line is no question.
    const wrong = testTerminal(home, { tty: true });
    expect(await runVessel(['host', 'add', 'ada@box', '--accept-host-key', 'SHA256:x'], wrong.runtime)).toBe(5);
  });

  it('asks what the host asks, hides what is secret, and says when it is declined', async () => {
    const answered: CallOutput<'prompts.answer'>[] = [];
    const given: unknown[] = [];
    let settle: (answers: unknown) => void = () => undefined;
    const answers = new Promise((resolve) => { settle = resolve; });
    const prompt = (scope: string): Prompt => ({ promptId: 'p1', scope, kind: 'questions', subject: 'ada@box', instructions: 'Two factors', fields: [{ label: 'Option: ', echo: true }, { label: 'Code: ', echo: false }], mayRemember: false, attempt: 1 });
    await serve({
      calls: {
        'hosts.add': async () => { given.push(await answers); return host; },
        'prompts.answer': async (input) => { settle(input.answers); const done = { ok: true } as const; answered.push(done); return done; },
      },
      streams: { 'prompts.watch': async function* ({ scope }, { signal }): AsyncIterable<StreamItem<'prompts.watch'>> { yield { kind: 'prompt', prompt: prompt(scope) }; await new Promise((resolve) => signal.addEventListener('abort', resolve)); } },
    });
    const terminal = testTerminal(home, { tty: true });
    const [code] = await Promise.all([runVessel(['host', 'add', 'ada@box'], terminal.runtime), talk(terminal, ['Option:', '2x\u007f\r'], ['Code:', '123456\r'])]);
    expect([code, given]).toEqual([0, [['2', '123456']]]);
    expect(terminal.err()).toContain('Two factors');
    expect(terminal.err()).not.toContain('123456');
    expect(terminal.rawModes.at(-1)).toBe(false);
  });

  it('lists, shows and removes', async () => {
    await serve({ calls: { 'hosts.list': async () => ({ hosts: [host] }), 'hosts.refresh': async ({ hostId }) => (hostId === 'box' ? host : { ...host, status: 'unreachable', connection: { state: 'down', nextTryAt: null, error: new VesselError('SSH_AUTH_FAILED').toShape() } }), 'hosts.remove': async () => ({ ok: true }) } });
    expect((await runIn(home, 'host', 'list')).out).toMatch(/box +box +ada@box +not-provisioned +connected/);
    expect((await runIn(home, 'host', 'facts', 'box')).out).toContain('/dev/kvm');
    expect((await runIn(home, 'host', 'facts', 'far', '--json')).json).toMatchObject({ error: { code: 'SSH_AUTH_FAILED' } });
    expect((await runIn(home, 'host', 'remove', 'box', '--json')).json).toEqual({ removed: 'box' });
  });
});
