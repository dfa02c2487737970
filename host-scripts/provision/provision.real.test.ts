import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../../build/testing/describe-unless.ts';
import { cannotRunMachines, quietContext, realHost } from '../real-host.test-helper.ts';
import type { RealHost } from '../real-host.test-helper.ts';
import { provision, unprovision } from './engine.ts';
import { Journal } from './journal.ts';
import { packagesStep } from './steps/packages.ts';

const why = cannotRunMachines();

describeUnless(why, 'provisioning this computer', () => {
  let real: RealHost;
  beforeAll(async () => { real = await realHost({ ownTemplates: true }); });
  afterAll(() => real.dispose());

  it('plans without touching anything', async () => {
    const result = await real.host.provision({ dryRun: true, tiers: ['medium'] }, quietContext());
    expect(result.status).toBe('planned');
    expect(result.steps.find(({ id }) => id === 'directories')).toMatchObject({ state: 'missing', plan: expect.arrayContaining([`create ${real.paths.state}`]) as unknown });
    expect(existsSync(real.paths.state)).toBe(false);
  });

  it('does everything once and nothing the second time', async () => {
    expect((await real.host.provision({ dryRun: false, tiers: [] }, quietContext())).changed).toBeGreaterThan(0);
    expect((await real.host.facts({}, quietContext())).ready).toBe(true);
    const again = await real.host.provision({ dryRun: false, tiers: [] }, quietContext());
    expect(again.changed).toBe(0);
    expect(again.steps.every(({ state }) => state === 'present')).toBe(true);
  });

  it('is examined by the doctor with evidence for every stage', async () => {
    const { healthy, checks } = await real.host.doctor({}, quietContext());
    expect(healthy).toBe(true);
    expect(checks.every(({ evidence }) => evidence !== '')).toBe(true);
    expect(checks.filter(({ state, fix }) => state === 'warn' && fix === null)).toEqual([]);
  });

  it('is not undone while an environment exists', async () => {
    await real.host.start({ id: 'in-the-way', tier: 'small', mode: 'cold', timezone: 'UTC', env: {}, deadlineMs: 280_000 }, quietContext());
    await expect(real.host.unprovision({ dryRun: false }, quietContext())).rejects.toMatchObject({ code: 'BUSY' });
    await real.host.stop({ id: 'in-the-way' }, quietContext());
  });

  it('is undone by its journal alone: what was there before stays', async () => {
    const planned = await real.host.unprovision({ dryRun: true }, quietContext());
    expect(planned.removed).toContain(`directories: ${real.paths.templates}`);
    expect(existsSync(real.paths.state)).toBe(true);
    const done = await real.host.unprovision({ dryRun: false }, quietContext());
    expect(done).toMatchObject({ status: 'success', kept: [] });
    expect(existsSync(real.paths.state)).toBe(false);
    expect((await readdir(join(real.cache, 'images'))).length).toBeGreaterThan(0);
    expect(existsSync(join(real.cache, 'disks'))).toBe(false);
  });
});

describeUnless(why, 'a Debian package', () => {
  it('that provisioning installed goes again, and one that was there stays', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vessel-packages-'));
    const journal = new Journal(join(folder, 'journal.jsonl'));
    const steps = [packagesStep(() => Promise.resolve(['bash', 'hello']), true)];
    const signal = new AbortController().signal;
    try {
      const result = await provision({ steps, journal, dryRun: false, signal, report: () => undefined, log: () => undefined });
      expect(result.changed).toBe(1);
      expect((await readdir('/usr/bin')).includes('hello')).toBe(true);
      expect(await unprovision({ steps, journal, dryRun: false, signal })).toMatchObject({ removed: ['packages: hello'], kept: [] });
      expect((await readdir('/usr/bin')).includes('hello')).toBe(false);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
