import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { initramfsInit } from './init-script.ts';
import { cpio, moduleOrder } from './initrd.ts';

describe('the initramfs', () => {
  it('loads a module after everything that it needs', () => {
    const dep = 'kernel/drivers/virtio/virtio_mmio.ko: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko\nkernel/drivers/char/hw_random/virtio-rng.ko.xz: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko\nkernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko\nkernel/drivers/virtio/virtio_ring.ko:\n';
    expect(moduleOrder(dep, ['virtio_mmio', 'ext4', 'virtio_rng'])).toEqual([
      'kernel/drivers/virtio/virtio_ring.ko', 'kernel/drivers/virtio/virtio.ko', 'kernel/drivers/virtio/virtio_mmio.ko', 'kernel/drivers/char/hw_random/virtio-rng.ko.xz',
    ]);
  });

  it('is a cpio archive that other tools read, equal for equal content', () => {
    const entries = [{ path: 'bin', mode: 0o040755, data: Buffer.alloc(0) }, { path: 'bin/a', mode: 0o100755, data: Buffer.from('hello') }];
    const archive = cpio(entries);
    expect(cpio(entries).equals(archive)).toBe(true);
    expect(execFileSync('bsdtar', ['-tf', '-'], { input: archive, encoding: 'utf8' }).trim().split('\n')).toEqual(['bin', 'bin/a']);
    expect(execFileSync('bsdtar', ['-xOf', '-', 'bin/a'], { input: archive, encoding: 'utf8' })).toBe('hello');
  });

  it('has an init whose shell syntax is right, with the token never on the command line', () => {
    execFileSync('sh', ['-n'], { input: initramfsInit() });
    // The word there names a drive; what is on it only root can read.
    expect(initramfsInit()).toContain('head -c 64 /new/dev/$drive');
  });
});
