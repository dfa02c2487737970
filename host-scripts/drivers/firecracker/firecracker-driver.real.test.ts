import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../../../build/testing/describe-unless.ts';
import { guestHealth } from '../../guest/guest-client.ts';
import { removeHostRules } from '../../network/guest-namespace.ts';
import { cannotRunMachines, quietContext, realHost } from '../../real-host.test-helper.ts';
import type { RealHost } from '../../real-host.test-helper.ts';
import { RecordStore } from '../../records/record-store.ts';
import { bootAndRehearse } from '../../templates/boot-and-rehearse.ts';
import { TemplateStore } from '../../templates/template-store.ts';
import { describeDriverContract, describeSleepContract } from '../contract.test-helper.ts';
import type { DriverWithAbilities } from '../driver.ts';
import { SNAPSHOT_FILES } from './build-snapshot.ts';
import type { Rehearsal } from './build-snapshot.ts';
import { firecrackerDriver } from './firecracker-driver.ts';
import { firecrackerPrograms } from './firecracker-runtime.ts';
import type { Programs } from './jail.ts';

const why = cannotRunMachines();
/** With `VESSEL_TEST_FIRECRACKER=1` the installed programs run (see `firecrackerPrograms`), else their doubles. */
const genuine = process.env['VESSEL_TEST_FIRECRACKER'] === '1';

if (!genuine) it('runs the real firecracker', (context) => context.skip('VESSEL_TEST_FIRECRACKER is not set: doubles of firecracker and its jailer run instead'));

/** Scripts of the names that the jailer asks for. */
async function doubles(folder: string): Promise<Programs> {
  const programs = { firecracker: join(folder, 'firecracker'), jailer: join(folder, 'jailer') };
  for (const [name, path] of Object.entries(programs)) {
    const source = fileURLToPath(new URL(`./double/${name}.ts`, import.meta.url));
    await writeFile(path, `#!/bin/sh\nexec '${process.execPath}' '${source}' "$@"\n`, { mode: 0o755 });
  }
  return programs;
}

/** A stand-in IDE cannot be rehearsed as a workbench does it. */
const waitOnly: Rehearsal = async ({ address }, token, _ide, { signal }) => {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const health = await guestHealth(address, token, { signal, attemptMs: 2_000 }).catch(() => null);
    if (health?.ideReady === true) return token;
    await delay(50);
  }
  throw new Error('the stand-in guest does not come up');
};

describeUnless(why, 'Firecracker microVMs', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vessel-fc-'));
  const real: RealHost = await realHost();
  const programs = genuine ? firecrackerPrograms(process.env) : await doubles(folder);
  const templates = join(real.home, 'fc-templates');
  const makeDriver = (): DriverWithAbilities => firecrackerDriver({
    paths: real.paths, isRoot: true, records: new RecordStore(real.paths.vms), templates: new TemplateStore(templates, SNAPSHOT_FILES), programs, templateWanted: () => undefined,
    rehearse: genuine ? bootAndRehearse : waitOnly,
  });
  const quiet = { ...quietContext(), stage: () => undefined };
  beforeAll(() => real.host.provision({ dryRun: false, tiers: [] }, quietContext()), 15 * 60_000);
  afterAll(async () => {
    for (const { id } of await makeDriver().list()) await makeDriver().destroy(id);
    await removeHostRules();
    await real.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  describeDriverContract('the firecracker driver, booting', { mode: 'cold', makeDriver, cleanUp: () => Promise.resolve() });
  describeSleepContract('the firecracker driver, booting', { mode: 'cold', makeDriver, cleanUp: () => Promise.resolve() });

  it('refuses a clone without a template, and then makes one for all clones', async () => {
    const driver = makeDriver();
    await expect(driver.create({ id: 'early', tier: 'medium', mode: 'clone', timezone: 'UTC', env: {}, deadlineMs: 60_000 }, quiet)).rejects.toMatchObject({ code: 'TEMPLATE_MISSING' });
    expect(await driver.abilities.templates?.ensureTemplate('medium', quiet)).toBe(true);
    expect(await driver.abilities.templates?.ensureTemplate('medium', quiet)).toBe(false);
    expect((await driver.abilities.templates?.templateStates())?.find(({ tier }) => tier === 'medium')?.state).toBe('ready');
  });

  describeDriverContract('the firecracker driver, cloning', { mode: 'clone', makeDriver, cleanUp: () => Promise.resolve() });
  describeSleepContract('the firecracker driver, cloning', { mode: 'clone', makeDriver, cleanUp: () => Promise.resolve() });

  it('leaves no namespace, pair, jail or cgroup behind', async () => {
    expect(execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })).not.toMatch(/^vessel-/m);
    // The kernel takes a namespace apart in its own time.
    await expect.poll(() => execFileSync('ip', ['-br', 'link'], { encoding: 'utf8' })).not.toMatch(/^vsl/m);
    expect(readdirSync(real.paths.vms)).toEqual([]);
  });
});
