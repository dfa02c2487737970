import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { provision, unprovision } from '../engine.ts';
import { Journal } from '../journal.ts';
import { DRIVER_RELEASES, type DriverRelease } from './driver-releases.ts';
import { driverStep, type DriverStepOptions } from './driver-step.ts';

const signal = new AbortController().signal;
const quiet = { dryRun: false, signal, report: () => undefined, log: () => undefined };

describe('a driver that is asked for', () => {
  let folder = '';
  let journal: Journal;
  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vdriver-')); journal = new Journal(join(folder, 'state', 'journal.jsonl')); });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const release = (change: Partial<DriverRelease> = {}): DriverRelease => ({
    driver: 'firecracker', version: '1', packages: [], modules: [], sysctl: {}, images: [],
    files: [{ url: 'https://releases.invalid/fc.tgz', sha256: null, member: 'release/fc', path: join(folder, 'deep/bin/fc') }], ...change,
  });
  const step = (change: Partial<DriverStepOptions> = {}): ReturnType<typeof driverStep> =>
    driverStep({ release: release(), journal, delivered: [], accelerator: () => Promise.resolve({ kind: 'kvm', why: 'it runs' }), ...change });
  function sent(): { readonly path: string; readonly sha256: string } {
    mkdirSync(join(folder, 'release'));
    writeFileSync(join(folder, 'release', 'fc'), 'program');
    execFileSync('tar', ['-czf', join(folder, 'fc.tgz'), '-C', folder, 'release/fc']);
    return { path: join(folder, 'fc.tgz'), sha256: createHash('sha256').update(readFileSync(join(folder, 'fc.tgz'))).digest('hex') };
  }

  it('is skipped where there is no KVM, and where its files are neither at hand nor pinned', async () => {
    expect(await step({ accelerator: () => Promise.resolve({ kind: 'tcg', why: 'no /dev/kvm' }) }).check(signal)).toMatchObject({ skipped: true, evidence: 'firecracker needs KVM: no /dev/kvm' });
    expect(await step().check(signal)).toMatchObject({ skipped: true, evidence: expect.stringContaining('no checksum is pinned') as unknown });
  });

  it('is not installed from a file that differs from what was sent', async () => {
    await expect(provision({ ...quiet, steps: [step({ delivered: [{ ...sent(), sha256: 'f'.repeat(64) }] })], journal })).rejects.toMatchObject({ code: 'ARCHIVE_CORRUPT' });
    expect(existsSync(join(folder, 'deep'))).toBe(false);
  });

  it('is installed from files that were sent, and goes with the folders made for it', async () => {
    const steps = [step({ delivered: [sent()] })];
    expect((await provision({ ...quiet, steps, journal, dryRun: true })).steps[0]?.plan).toEqual([`install ${join(folder, 'deep/bin/fc')}`]);
    expect((await provision({ ...quiet, steps, journal })).changed).toBe(1);
    expect([readFileSync(join(folder, 'deep/bin/fc'), 'utf8'), statSync(join(folder, 'deep/bin/fc')).mode & 0o777]).toEqual(['program', 0o755]);
    expect((await provision({ ...quiet, steps, journal })).changed).toBe(0);
    expect((await unprovision({ steps, journal, dryRun: false, signal })).kept).toEqual([]);
    expect(existsSync(join(folder, 'deep'))).toBe(false);
  });

  it('has its files where the drivers look for them', () => {
    expect(DRIVER_RELEASES.firecracker.files.map(({ path }) => path)).toEqual(['/usr/local/bin/firecracker', '/usr/local/bin/jailer']);
    for (const { files } of Object.values(DRIVER_RELEASES)) for (const { url, sha256 } of files) expect([new URL(url).protocol, sha256 === null || /^[0-9a-f]{64}$/.test(sha256)]).toEqual(['https:', true]);
  });
});
