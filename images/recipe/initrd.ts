import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { initramfsInit } from './init-script.ts';
import { INITRD_MODULES } from './packages.ts';

type CpioEntry = { readonly path: string; readonly mode: number; readonly data: Buffer; readonly device?: readonly [number, number] };

const DIRECTORY = 0o040755;
const EXECUTABLE = 0o100755;
const FILE = 0o100644;
const CHARACTER_DEVICE = 0o020600;

/** A cpio archive in the kernel's `newc` format: fixed times and numbers, so equal input gives equal bytes. */
export function cpio(entries: readonly CpioEntry[]): Buffer {
  const padded = (buffer: Buffer): Buffer => Buffer.concat([buffer, Buffer.alloc((4 - (buffer.length % 4)) % 4)]);
  const record = (entry: CpioEntry, inode: number): Buffer => {
    const name = Buffer.from(`${entry.path}\0`);
    const [major, minor] = entry.device ?? [0, 0];
    const links = entry.mode === DIRECTORY ? 2 : 1;
    const numbers = [inode, entry.mode, 0, 0, links, 0, entry.data.length, 0, 0, major, minor, name.length, 0];
    const header = Buffer.from(`070701${numbers.map((value) => value.toString(16).padStart(8, '0')).join('')}`);
    return Buffer.concat([padded(Buffer.concat([header, name])), padded(entry.data)]);
  };
  const trailer: CpioEntry = { path: 'TRAILER!!!', mode: 0, data: Buffer.alloc(0) };
  return Buffer.concat([...entries, trailer].map((entry, index) => record(entry, index + 1)));
}

/**
 * The files to insert, dependencies first, from the text of `modules.dep` (`a.ko: b.ko c.ko`, where a needs b needs c).
 * Names that are not there are built in or absent in this kernel: left out.
 */
export function moduleOrder(modulesDep: string, wanted: readonly string[]): readonly string[] {
  const byName = new Map<string, { readonly path: string; readonly needs: readonly string[] }>();
  for (const line of modulesDep.split('\n')) {
    const [path, needs] = line.split(':');
    if (path === undefined || path === '' || needs === undefined) continue;
    byName.set(moduleName(path), { path, needs: needs.trim().split(/\s+/).filter(Boolean) });
  }
  const order: string[] = [];
  for (const name of wanted) {
    const found = byName.get(name);
    if (found === undefined) continue;
    // modules.dep lists the nearest dependency first, so the deepest is loaded first when read backwards.
    for (const path of [...found.needs.toReversed(), found.path]) if (!order.includes(path)) order.push(path);
  }
  return order;
}

const moduleName = (path: string): string => basename(path).replace(/\.ko(\.(xz|zst|gz))?$/, '').replaceAll('-', '_');

/**
 * Writes the initramfs: static busybox, the modules a virtual machine needs, and the init. Not compressed: unpacking it inside an
 * emulated guest costs more than reading 3 MB.
 */
export async function writeInitrd(input: { readonly kernelDir: string; readonly kernelVersion: string; readonly busybox: string; readonly output: string }): Promise<void> {
  const modules = join(input.kernelDir, 'lib/modules', input.kernelVersion);
  const order = moduleOrder(await readFile(join(modules, 'modules.dep'), 'utf8'), INITRD_MODULES);
  const directories = ['bin', 'dev', 'proc', 'sys', 'modules', 'golden', 'data', 'new'];
  const entries: CpioEntry[] = [
    ...directories.map((path) => ({ path, mode: DIRECTORY, data: Buffer.alloc(0) })),
    // The kernel opens the console before init could make it.
    { path: 'dev/console', mode: CHARACTER_DEVICE, data: Buffer.alloc(0), device: [5, 1] },
    { path: 'bin/busybox', mode: EXECUTABLE, data: await readFile(input.busybox) },
    { path: 'init', mode: EXECUTABLE, data: Buffer.from(initramfsInit()) },
    { path: 'modules/order', mode: FILE, data: Buffer.from(`${order.map((path) => basename(path)).join('\n')}\n`) },
  ];
  for (const path of order) entries.push({ path: `modules/${basename(path)}`, mode: FILE, data: await readFile(join(modules, path)) });
  await writeFile(input.output, cpio(entries));
}
