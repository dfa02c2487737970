import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { log } from '../log.ts';

/**
 * Does the few system calls that Node has no function for: set the clock, feed and reseed the kernel's random
 * generator, freeze a file system, sync and reboot. A waiting perl (perl-base is essential in Debian and Ubuntu; 4 MB) answers in well under a
 * millisecond, where a fork and exec of `date` costs some 10 ms in an emulated guest. It is started before a template is frozen.
 */
const HELPER = String.raw`
use strict; $| = 1;
my %n = $ARGV[0] eq 'arm64' ? (settime=>112, sync=>81, reboot=>142) : (settime=>227, sync=>162, reboot=>169);
while (my $line = <STDIN>) {
  my ($verb, @a) = split ' ', $line;
  my $ok = 0;
  if ($verb eq 'identity') {
    my ($sec, $nsec, $hex) = @a;
    $ok = syscall($n{settime}, 0, pack('qq', $sec, $nsec)) == 0;
    if (open(my $f, '+<', '/dev/urandom')) { syswrite($f, pack('H*', $hex)); ioctl($f, 0x5207, 0); close $f; }
  } elsif ($verb eq 'freeze' || $verb eq 'thaw') {
    # FIFREEZE and FITHAW of linux/fs.h; thawing what is not frozen is no failure (EINVAL).
    if (sysopen(my $f, pack('H*', $a[0]), 0)) { $ok = ioctl($f, $verb eq 'freeze' ? 0xc0045877 : 0xc0045878, 0) || ($verb eq 'thaw' && $! == 22); close $f; }
  } elsif ($verb eq 'reboot') { syscall($n{sync}); print "ok\n"; syscall($n{reboot}, 0xfee1dead, 672274793, 0x01234567, 0); }
  print $ok ? "ok\n" : "failed $!\n";
}
`;

/** A waiting root process for single system calls. Requests are answered in order. */
export class RootHelper {
  readonly #child: ChildProcess;
  readonly #waiting: { resolve(): void; reject(error: Error): void }[] = [];

  constructor() {
    this.#child = spawn('perl', ['-e', HELPER, process.arch], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.on('error', (error) => this.#fail(error));
    this.#child.on('exit', (code) => this.#fail(new Error(`the root helper ended with ${code}`)));
    this.#child.stdin?.on('error', (error) => this.#fail(error));
    if (this.#child.stdout !== null) {
      createInterface({ input: this.#child.stdout }).on('line', (line) => {
        const waiting = this.#waiting.shift();
        if (line === 'ok') waiting?.resolve();
        else waiting?.reject(new Error(`root helper: ${line}`));
      });
    }
  }

  #fail(error: Error): void {
    log(error.message);
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
  }

  #call(line: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#child.stdin?.write(`${line}\n`);
    });
  }

  /** Sets the wall clock to `epochMs` and mixes `entropy` into the kernel's pool, which is reseeded at once. */
  async setClockAndEntropy(epochMs: number, entropy: Buffer): Promise<void> {
    const seconds = Math.floor(epochMs / 1000);
    await this.#call(`identity ${seconds} ${Math.floor((epochMs - seconds * 1000) * 1e6)} ${entropy.toString('hex')}`);
  }

  /**
   * Freezes the file system that holds `path`: whoever writes waits, through a memory map too, and what was written is on the disk. Nothing of the agent may
   * write there until {@link thaw}. Throws when the file system cannot.
   */
  freeze(path: string): Promise<void> {
    return this.#call(`freeze ${Buffer.from(path).toString('hex')}`);
  }

  /** Lets writers go on; fine when nothing was frozen. */
  thaw(path: string): Promise<void> {
    return this.#call(`thaw ${Buffer.from(path).toString('hex')}`);
  }

  /** Writes everything to disk and restarts the machine, which ends the hypervisor (`-no-reboot`). */
  reboot(): Promise<void> {
    return this.#call('reboot');
  }

  dispose(): void {
    this.#child.removeAllListeners('exit');
    this.#child.kill('SIGKILL');
  }
}
