import { spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, existsSync, fstatSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExtendedAttribute } from '#shared/archive-fields.ts';
import { VesselError } from '#shared/vessel-error.ts';
import type { RawPath } from './paths.ts';

/**
 * Extended attributes and holes are beyond Node's functions; perl-base, essential in Debian and Ubuntu, has `syscall` and `sysseek`. One short
 * process does a whole tree: it reads orders from a file, each a verb, a length and bytes, and writes what it found to another.
 *
 * - `D name` go into a folder (never through a link), `U` back; what cannot be entered is passed over with all below it.
 * - `X number name` writes the entry's attributes: number, lengths of name and value, name, value. An error is a name of no length, its errno as value.
 * - `H number name` writes where a file has data: number, count, then pairs of offset and length. An error is a count of all ones.
 * - `S name`, then `A attribute`, `V value` set one attribute. The first error is written as its errno and ends the work.
 *
 * Kept: what users set, the lists of rights (ACL), and the capabilities of programs. The rest is the kernel's own.
 */
const HELPER = String.raw`
use strict; binmode STDIN; binmode STDOUT;
my ($list, $get, $set, $folder, $plain) = @ARGV;
my ($skip, $depth, $name, $attribute, @up) = (0, 0);
my ($names, $value) = ("\0" x 65536, "\0" x 65536);
while (read(STDIN, my $head, 5) == 5) {
  my ($verb, $length) = unpack('a N', $head);
  my $data = '';
  read(STDIN, $data, $length) == $length or exit 3 if $length;
  if ($verb eq 'D') {
    $depth++;
    next if $skip;
    my ($here, $inner);
    if (opendir($here, '.') && sysopen($inner, $data, $folder) && chdir($inner)) { push @up, $here; } else { $skip = $depth; }
  } elsif ($verb eq 'U') {
    if ($skip) { $skip = 0 if $skip == $depth; } else { chdir(pop @up) or exit 4; }
    $depth--;
  } elsif ($skip) {
  } elsif ($verb eq 'X') {
    my $number = substr($data, 0, 4, '');
    my $count = syscall($list, $data, $names, 65536);
    if ($count < 0) { my $e = $! + 0; print $number, pack('n N', 0, 4), pack('N', $e) unless $e == 95 || $e == 2 || $e == 20; next; }
    next unless $count;
    for my $one (split /\0/, substr($names, 0, $count)) {
      next unless $one =~ /^(?:user\.|system\.posix_acl_|security\.capability$)/;
      my $bytes = syscall($get, $data, $one, $value, 65536);
      if ($bytes < 0) { my $e = $! + 0; print $number, pack('n N', 0, 4), pack('N', $e) unless $e == 61 || $e == 2; next; }
      print $number, pack('n N', length $one, $bytes), $one, substr($value, 0, $bytes);
    }
  } elsif ($verb eq 'H') {
    my $number = substr($data, 0, 4, '');
    my @found;
    unless (sysopen(my $file, $data, $plain)) { print $number, pack('N', 0xffffffff); } else {
      my ($at, $known) = (0, 1);
      for (;;) {
        my $start = sysseek($file, $at, 3);
        unless (defined $start) { $known = 0 unless $! == 6; last; }
        my $end = sysseek($file, $start, 4);
        unless (defined $end) { $known = 0; last; }
        push @found, $start + 0, $end - $start;
        $at = $end + 0;
      }
      print $number, $known ? (pack('N', @found / 2), pack('Q<*', @found)) : pack('N', 0xffffffff);
    }
  } elsif ($verb eq 'S') { $name = $data;
  } elsif ($verb eq 'A') { $attribute = $data;
  } elsif ($verb eq 'V') {
    if (syscall($set, $name, $attribute, $data, length $data, 0) < 0) { print pack('N', $! + 0); exit 0; }
  }
}
`;

/** Numbers of llistxattr, lgetxattr and lsetxattr. */
const CALLS = process.arch === 'arm64' ? ['12', '9', '6'] : ['195', '192', '189'];
const FILE_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const ARGV = ['-e', HELPER, ...CALLS, String(FILE_FLAGS | constants.O_DIRECTORY), String(FILE_FLAGS)];
const BUFFER_BYTES = 256 * 1024;

/** A file without a name; in memory only where the machine has that and for small things. */
export function openScratch(where: 'memory' | 'disk'): number {
  const path = join(where === 'memory' && existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), `vessel-scratch-${randomUUID()}`);
  const fd = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return fd;
}

/** Orders for the helper, gathered in a scratch file while a tree is walked. */
export class HelperOrders {
  readonly #fd = openScratch('memory');
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #used = 0;
  #written = 0;
  #count = 0;

  /** How many orders ask for or set something. */
  get count(): number {
    return this.#count;
  }

  #order(verb: string, data: RawPath | Uint8Array, number: number | null): void {
    const bytes = typeof data === 'string' ? Buffer.byteLength(data) : data.length;
    const length = bytes + (number === null ? 0 : 4);
    if (this.#used + 9 + bytes > BUFFER_BYTES) this.#flush();
    const buffer = this.#buffer;
    let at = this.#used;
    buffer[at] = verb.charCodeAt(0);
    buffer.writeUInt32BE(length, at + 1);
    at += 5;
    if (number !== null) at = buffer.writeUInt32BE(number, at);
    if (typeof data === 'string') buffer.write(data, at);
    else buffer.set(data, at);
    this.#used = at + bytes;
  }

  #flush(): void {
    for (let done = 0; done < this.#used;) done += writeSync(this.#fd, this.#buffer, done, this.#used - done, this.#written + done);
    this.#written += this.#used;
    this.#used = 0;
  }

  down(name: RawPath): void {
    this.#order('D', name, null);
  }

  up(): void {
    this.#order('U', '', null);
  }

  askAttributes(number: number, name: RawPath): void {
    this.#count += 1;
    this.#order('X', name, number);
  }

  askData(number: number, name: RawPath): void {
    this.#count += 1;
    this.#order('H', name, number);
  }

  set(name: RawPath, xattrs: readonly ExtendedAttribute[]): void {
    this.#count += 1;
    this.#order('S', name, null);
    for (const { name: attribute, value } of xattrs) {
      this.#order('A', attribute, null);
      this.#order('V', value, null);
    }
  }

  /** Carries the orders out in `cwd`, waiting. The descriptor still stands at the beginning: each write named its position. Returns what the helper wrote. Throws INTERNAL when it fails. */
  run(cwd: string): Buffer {
    this.#flush();
    const out = openScratch('memory');
    try {
      const { status, error } = spawnSync('perl', ARGV, { cwd, stdio: [this.#fd, out, 'inherit'] });
      if (error !== undefined || status !== 0) throw new VesselError('INTERNAL', `the helper for extended attributes and holes ended with ${error?.message ?? status}`, { cause: error });
      return readAll(out);
    } finally {
      closeSync(out);
      this.close();
    }
  }

  /** As `run`, beside other work: the returned function waits for the end. */
  start(cwd: string): () => Promise<Buffer> {
    this.#flush();
    const out = openScratch('memory');
    const child = spawn('perl', ARGV, { cwd, stdio: [this.#fd, out, 'inherit'] });
    const ended = new Promise<Buffer>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (status) => {
        if (status === 0) resolve(readAll(out));
        else reject(new VesselError('INTERNAL', `the helper for extended attributes ended with ${status}`));
      });
    }).finally(() => closeSync(out));
    // It may fail while nothing waits for it yet.
    ended.catch(() => undefined);
    this.close();
    return () => ended;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function readAll(fd: number): Buffer {
  const content = Buffer.alloc(fstatSync(fd).size);
  for (let done = 0; done < content.length;) {
    const count = readSync(fd, content, done, content.length - done, done);
    if (count === 0) break;
    done += count;
  }
  return content;
}

/** Attributes by number; an entry whose attributes cannot be read has its errno instead. */
export function parseAttributes(output: Buffer): ReadonlyMap<number, readonly ExtendedAttribute[] | number> {
  const found = new Map<number, ExtendedAttribute[] | number>();
  for (let at = 0; at + 10 <= output.length;) {
    const number = output.readUInt32BE(at);
    const nameEnd = at + 10 + output.readUInt16BE(at + 4);
    const end = nameEnd + output.readUInt32BE(at + 6);
    const name = output.subarray(at + 10, nameEnd);
    const known = found.get(number);
    if (name.length === 0) found.set(number, output.readUInt32BE(nameEnd));
    else if (known === undefined) found.set(number, [{ name, value: output.subarray(nameEnd, end) }]);
    else if (typeof known !== 'number') known.push({ name, value: output.subarray(nameEnd, end) });
    at = end;
  }
  // The kernel lists them in the order they were set in; equal trees shall give equal archives.
  for (const list of found.values()) if (typeof list !== 'number') list.sort((a, b) => Buffer.compare(a.name, b.name));
  return found;
}

export type Extent = { readonly offset: number; readonly length: number };

/** Where files have data, by number; files that could not be asked are missing. */
export function parseData(output: Buffer): ReadonlyMap<number, readonly Extent[]> {
  const found = new Map<number, readonly Extent[]>();
  for (let at = 0; at + 8 <= output.length;) {
    const number = output.readUInt32BE(at);
    const count = output.readUInt32BE(at + 4);
    at += 8;
    if (count === 0xffffffff) continue;
    const extents: Extent[] = [];
    for (let index = 0; index < count; index += 1, at += 16) extents.push({ offset: Number(output.readBigUInt64LE(at)), length: Number(output.readBigUInt64LE(at + 8)) });
    found.set(number, extents);
  }
  return found;
}
