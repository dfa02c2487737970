import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeUnless } from '../../../build/testing/describe-unless.ts';
import { rememberedVerdict } from '../../accelerator/accelerator.ts';
import { kvmFingerprint } from '../../accelerator/kvm-access.ts';
import { hostBootId } from '../../system/process-identity.ts';
import { serviceUser } from '../../system/run-user.ts';
import { Journal } from '../journal.ts';
import type { ProvisionStep } from '../step.ts';
import { kvmAccessStep } from './kvm-access.ts';

const service = process.getuid?.() === 0 ? await serviceUser() : null;
let folder: string;
let device: string;
let journal: Journal;
let step: ProvisionStep;
const context = { signal: new AbortController().signal, log: () => undefined, progress: () => undefined };
const rights = (): string => { const { uid, gid, mode } = statSync(device); return `${uid}:${gid} ${(mode & 0o777).toString(8)}`; };

// A device of its own (that of /dev/null): the real one is everybody's.
describeUnless(service === null ? 'needs root and the user that runs machines, which provisioning makes' : null, 'the right to open /dev/kvm', () => {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vessel-kvm-'));
    chmodSync(folder, 0o755);
    device = join(folder, 'kvm');
    execFileSync('mknod', ['-m', '600', device, 'c', '1', '3']);
    mkdirSync(join(folder, 'rules.d'));
    journal = new Journal(join(folder, 'journal.jsonl'));
    step = kvmAccessStep({ isRoot: true, journal, device, rulesFolder: join(folder, 'rules.d') });
  });
  afterEach(() => { rmSync(folder, { recursive: true, force: true }); });

  it.each(['600', '660'])('is named as missing, given and taken back, from root:root 0%s on', async (mode) => {
    chmodSync(device, Number.parseInt(mode, 8));
    const before = rights();
    const missing = await step.check(context.signal);
    expect(missing).toMatchObject({ present: false, evidence: expect.stringContaining(`may not open it (owner 0, group 0, mode 0${mode})`) as string });
    expect(missing.plan.join()).toContain('rules');
    expect(rights()).toBe(before);
    await step.run({ ...context, journal });
    expect(await step.check(context.signal)).toMatchObject({ present: true });
    expect(readFileSync(join(folder, 'rules.d/99-vessel-kvm.rules'), 'utf8')).toMatch(/KERNEL=="kvm", GROUP="\w+", MODE="0660"/);
    await step.run({ ...context, journal });
    for (const entry of (await journal.standing()).toReversed()) expect(await step.undo(entry, context.signal)).toBeNull();
    expect(rights()).toBe(before);
    expect(existsSync(join(folder, 'rules.d/99-vessel-kvm.rules'))).toBe(false);
  });

  it('is taken back from a device that was the group’s before, but closed to it', async () => {
    await step.run({ ...context, journal });
    const { gid } = statSync(device);
    rmSync(join(folder, 'journal.jsonl'));
    chmodSync(device, 0o600);
    const before = rights();
    expect(before).toBe(`0:${gid} 600`);
    await step.run({ ...context, journal });
    expect(rights()).toBe(`0:${gid} 660`);
    for (const entry of (await journal.standing()).toReversed()) expect(await step.undo(entry, context.signal)).toBeNull();
    expect(rights()).toBe(before);
  });

  it('is left alone where it is given already, and when another changed it since', async () => {
    chmodSync(device, 0o666);
    expect(await step.check(context.signal)).toMatchObject({ present: true });
    chmodSync(device, 0o600);
    await step.run({ ...context, journal });
    chmodSync(device, 0o666);
    const [entry] = await journal.standing();
    expect(entry === undefined ? '' : await step.undo(entry, context.signal)).toContain('changed since');
    expect(rights()).toMatch(/666$/);
  });

  it('makes a verdict of before worthless when the permission is mended, by its rights or by an access list', async () => {
    const refused = await kvmFingerprint(service, device);
    expect(refused).toContain('refused');
    const verdict = { bootId: await hostBootId(), user: service?.name, kind: 'tcg', why: 'may not open it', probedAt: 1, tscKhz: 2_000_000, device: refused };
    writeFileSync(join(folder, 'accelerator.json'), JSON.stringify(verdict));
    expect(await rememberedVerdict(folder, service, device)).toMatchObject({ kind: 'tcg' });
    // What changes no right keeps it: no guest is booted again for that.
    utimesSync(device, 1, 1);
    expect(await rememberedVerdict(folder, service, device)).toMatchObject({ kind: 'tcg' });
    chmodSync(device, 0o666);
    expect(await rememberedVerdict(folder, service, device)).toBeNull();
    // The same rights, but it opens now, as with an access list.
    writeFileSync(join(folder, 'accelerator.json'), JSON.stringify({ ...verdict, device: (await kvmFingerprint(service, device))?.replace('opens', 'refused') }));
    expect(await rememberedVerdict(folder, service, device)).toBeNull();
    rmSync(device);
    expect(await kvmFingerprint(service, device)).toBeNull();
    expect(await step.check(context.signal)).toMatchObject({ skipped: true });
  });
});
