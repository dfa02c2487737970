import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { IgniteCli, failureOf, parseTasks } from './ignite-cli.ts';
import { IgniteVms } from './ignite-vms.ts';

describe('what ignite says', () => {
  const said = (message: string): string => `time="2026-01-01T00:00:00Z" level=info msg="Created"\ntime="2026-01-01T00:00:01Z" level=fatal msg=${JSON.stringify(message)}\n`;
  it.each([
    ['can\'t find VM: no ID/name matches for "x"', 'VM_NOT_FOUND'],
    ['invalid VM id/name "x": already exists', 'VM_EXISTS'],
    ['[preflight] Some fatal errors occurred:\n\t[ERROR ExistingFile--dev-kvm]: File /dev/kvm, does not exist', 'HOST_UNSUPPORTED'],
    ['failed to resolve reference "x": not found', 'IMAGE_MISSING'],
    ['write /var/lib/firecracker: no space left on device', 'DISK_FULL'],
    ['something new', 'VM_START_FAILED'],
  ])('is told apart by its text: %s', (message, code) => {
    expect(failureOf('run', 1, said(message))).toMatchObject({ code, details: { fatal: message } });
  });
  it('may be a panic of its own', () => expect(failureOf('exec', 2, 'panic: runtime error: nil pointer\n')).toMatchObject({ message: expect.stringContaining('panic: runtime error') as string }));
  it('counts only tasks that run', () => {
    expect([...parseTasks('TASK            PID    STATUS\nignite-a        12     RUNNING\nignite-b        13     STOPPED\n')]).toEqual([['ignite-a', 12]]);
  });
});

describe('the disk of an ignite VM', () => {
  it('is as full as the blocks of its overlay say, not as its size', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vessel-overlay-'));
    const uid = '0123456789abcdef';
    mkdirSync(join(folder, 'vm', uid), { recursive: true });
    const overlay = join(folder, 'vm', uid, 'overlay.dm');
    writeFileSync(overlay, Buffer.alloc(900_000, 1));
    truncateSync(overlay, 1_000_000);
    const vms = new IgniteVms(new IgniteCli({ ignite: '/nonexistent', ctr: '/nonexistent' }, join(folder, 'lock')), folder);
    expect(await vms.diskUse(uid)).toBeGreaterThan(0.89);
    truncateSync(overlay, 100_000_000);
    expect(await vms.diskUse(uid)).toBeLessThan(0.02);
    rmSync(folder, { recursive: true, force: true });
  });
});
