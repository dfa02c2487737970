import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { describeUnless } from '../../../build/testing/describe-unless.ts';
import type { Vm } from '#shared/host-protocol.ts';
import { RecordStore } from '../../records/record-store.ts';
import { describeDriverContract } from '../contract.test-helper.ts';
import type { DriverWithAbilities, VmSpec } from '../driver.ts';
import { IgniteCli } from './ignite-cli.ts';
import { igniteDriver } from './ignite-driver.ts';
import { IgniteVms } from './ignite-vms.ts';

/** With `VESSEL_TEST_IGNITE=<image>` the installed programs run (kernel: `VESSEL_TEST_IGNITE_KERNEL`), else their doubles. */
const genuine = process.env['VESSEL_TEST_IGNITE'];
if (genuine === undefined) it('runs the real ignite', (context) => context.skip('VESSEL_TEST_IGNITE is not set: doubles of ignite and ctr run instead'));

const root = mkdtempSync(join(tmpdir(), 'vessel-ignite-'));
const state = join(root, 'firecracker');
function program(name: 'ignite' | 'ctr'): string {
  if (genuine !== undefined) return name;
  const path = join(root, name);
  const source = fileURLToPath(new URL(`./double/${name}.ts`, import.meta.url));
  writeFileSync(path, `#!/bin/sh\nIGNITE_DOUBLE_DIR='${state}' exec '${process.execPath}' '${source}' "$@"\n`, { mode: 0o755 });
  return path;
}
const programs = { ignite: program('ignite'), ctr: program('ctr') };
const moved: Vm[] = [];
const cli = new IgniteCli(programs, join(root, 'ignite.lock'));
const vms = new IgniteVms(cli, genuine === undefined ? state : '/var/lib/firecracker');
const makeDriver = (): DriverWithAbilities => igniteDriver({
  records: new RecordStore(join(root, 'vms')), vms, moved: (vm) => { moved.push(vm); return Promise.resolve(); },
  images: () => Promise.resolve({ image: genuine ?? 'vessel/guest:test', kernel: process.env['VESSEL_TEST_IGNITE_KERNEL'] ?? 'weaveworks/ignite-kernel:5.10.51' }),
});
const removeAll = async (): Promise<void> => { for (const { id } of await makeDriver().list()) await makeDriver().destroy(id); };
afterAll(async () => {
  await removeAll();
  rmSync(root, { recursive: true, force: true });
}, 60_000);

describe('ignite', { timeout: 60_000 }, () => {
  describeDriverContract('the ignite driver', { mode: 'auto', makeDriver, cleanUp: () => Promise.resolve() });
});

describeUnless(genuine === undefined ? null : 'VESSEL_TEST_IGNITE is set: only the double makes its mistakes on demand', 'the traps of ignite', () => {
  const driver = makeDriver();
  const context = { signal: new AbortController().signal, stage: () => undefined, log: () => undefined };
  const spec = (id: string): VmSpec => ({ id, tier: 'medium', mode: 'auto', timezone: 'UTC', env: {}, deadlineMs: 30_000 });
  const run = async (id: string): Promise<Vm> => { await driver.create(spec(id), context); return driver.start(spec(id), context); };
  const metadata = (name: string): string => join(state, 'vm', readdirSync(join(state, 'vm')).find((uid) => readFileSync(join(state, 'vm', uid, 'metadata.json'), 'utf8').includes(`"${name}"`)) ?? '', 'metadata.json');
  const moods = ['no-kvm', 'no-image', 'dead-start', 'slow-stop'];
  const feel = (mood: string): void => writeFileSync(join(state, mood), '');
  beforeAll(async () => { await vms.find('nothing'); });
  afterEach(async () => {
    for (const mood of moods) rmSync(join(state, mood), { force: true });
    await removeAll();
  });

  it('names match by their beginnings: a VM is only ever asked for by its whole id', async () => {
    await run('dev-1');
    expect(await vms.find('dev')).toBeNull();
    expect(await driver.destroy('dev')).toBe(false);
    expect((await driver.inspect('dev-1')).state).toBe('running');
    await expect(vms.inspect('dev')).rejects.toMatchObject({ code: 'INTERNAL' });
  });
  it('a VM of a person, of the same name, is neither used nor removed', async () => {
    const token = join(root, 'token');
    writeFileSync(token, 'x'.repeat(64));
    await cli.run(['run', 'theirs', '--name', 'mine', '-f', `${token}:/etc/vessel/token`]);
    await driver.create(spec('mine'), context);
    await expect(driver.start(spec('mine'), context)).rejects.toMatchObject({ code: 'VM_EXISTS' });
    await driver.destroy('mine');
    expect(existsSync(metadata('mine'))).toBe(true);
    await cli.run(['rm', '-f', 'mine']);
  });
  it('a failed run leaves a stopped VM, which is removed with what we know of it', async () => {
    feel('no-kvm');
    await expect(run('half')).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED' });
    expect(await vms.find('half')).not.toBeNull();
    expect(await driver.destroy('half')).toBe(true);
    expect(await vms.find('half')).toBeNull();
  });
  it('an image that is not there is named', async () => {
    feel('no-image');
    await expect(run('blank')).rejects.toMatchObject({ code: 'IMAGE_MISSING' });
  });
  it('success for a dead VM is found out', async () => {
    feel('dead-start');
    await expect(run('corpse')).rejects.toMatchObject({ code: 'VM_START_FAILED', message: expect.stringContaining('is dead') as string });
    expect(await driver.destroy('corpse')).toBe(true);
  });
  it('after a crash it believes that the VM runs and can do nothing about it: its note is repaired', async () => {
    const { pid } = await run('stale');
    process.kill(pid ?? 1, 'SIGKILL');
    await expect.poll(async () => (await driver.inspect('stale')).state).toBe('broken');
    expect(JSON.parse(readFileSync(metadata('stale'), 'utf8'))).toMatchObject({ status: { running: true } });
    await driver.stop('stale');
    expect(JSON.parse(readFileSync(metadata('stale'), 'utf8'))).toMatchObject({ status: { running: false } });
    await driver.stop('stale');
    expect(await driver.destroy('stale')).toBe(true);
  });
  it('an address that changed is noticed, and told to whoever routes', async () => {
    const before = await run('mover');
    const path = metadata('mover');
    const file = JSON.parse(readFileSync(path, 'utf8')) as { status: object };
    writeFileSync(path, JSON.stringify({ ...file, status: { ...file.status, network: { ipAddresses: ['127.61.9.9'] } } }));
    expect((await driver.inspect('mover')).address?.host).toBe('127.61.9.9');
    expect(before.address?.host).not.toBe('127.61.9.9');
    expect(moved.at(-1)?.address?.host).toBe('127.61.9.9');
  });
  it('calls wait for each other, also those of other agents', async () => {
    await Promise.all([run('one'), run('two'), makeDriver().destroy('none'), vms.find('x'), new IgniteVms(new IgniteCli(programs, join(root, 'ignite.lock')), state).find('y')]);
    expect((await driver.list()).map(({ id, state: seen }) => [id, seen])).toEqual([['one', 'running'], ['two', 'running']]);
  });
});
