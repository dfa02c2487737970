import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { driverByRecord } from '../drivers/by-record.ts';
import { hostDriver, rememberDriver } from '../drivers/chosen-driver.ts';
import type { DriverWithAbilities } from '../drivers/driver.ts';
import { igniteImages } from '../drivers/ignite/ignite-images.ts';
import { newRecord } from '../records/new-record.ts';
import { RecordStore } from '../records/record-store.ts';
import { parseCommandLine } from './command-line.ts';

let folder = '';
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vessel-driver-')); });
afterEach(() => { rmSync(folder, { recursive: true, force: true }); });

describe('the driver', () => {
  it('is refused when there is none of that name', () => expect(() => parseCommandLine(['list', '--driver', 'docker'], {})).toThrow(/no driver docker; there are qemu, firecracker, ignite/));
  it('is what the command line says, before the environment, before the host\'s own', async () => {
    expect(parseCommandLine(['list', '--driver', 'ignite'], { VESSEL_DRIVER: 'qemu' }).options.driver).toBe('ignite');
    expect(parseCommandLine(['list'], { VESSEL_DRIVER: 'firecracker' }).options.driver).toBe('firecracker');
    expect(parseCommandLine(['list'], { VESSEL_DRIVER: '' }).options.driver).toBeNull();
    expect(await hostDriver(folder)).toBe('qemu');
    await rememberDriver(folder, 'firecracker');
    expect(await hostDriver(folder)).toBe('firecracker');
  });
  it('of a VM is the one that made it, whatever the host uses now', async () => {
    const records = new RecordStore(join(folder, 'vms'));
    await records.create(await newRecord({ id: 'old', driver: 'ignite', tier: 'medium', imageKey: 'i', socketDir: null }));
    await records.create(await newRecord({ id: 'new', driver: 'qemu', tier: 'medium', imageKey: 'i', socketDir: null }));
    const destroyed: string[] = [];
    const made = (name: DriverWithAbilities['name']): DriverWithAbilities => ({
      name, destroy: (id: string) => { destroyed.push(`${name} ${id}`); return Promise.resolve(true); }, abilities: { memory: null, templates: null, hibernate: null, vsock: null },
    }) as unknown as DriverWithAbilities;
    const driver = driverByRecord({ records, chosen: made('qemu'), make: made });
    for (const id of ['old', 'new', 'none']) await driver.destroy(id);
    expect(destroyed).toEqual(['ignite old', 'qemu new', 'qemu none']);
    await expect(driver.abilities.hibernate?.hibernate('old', { signal: new AbortController().signal, stage: () => undefined, log: () => undefined })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });
});

describe('the images of ignite', () => {
  it('are IMAGE_MISSING until somebody names them', async () => await expect(igniteImages(folder, {})).rejects.toMatchObject({ code: 'IMAGE_MISSING' }));
  it('are what the environment says, or the host\'s note', async () => {
    writeFileSync(join(folder, 'ignite.json'), JSON.stringify({ image: 'vessel/guest:1', kernel: 'k:1' }));
    expect(await igniteImages(folder, {})).toEqual({ image: 'vessel/guest:1', kernel: 'k:1' });
    expect(await igniteImages(folder, { VESSEL_IGNITE_IMAGE: 'other:2' })).toMatchObject({ image: 'other:2' });
  });
});
