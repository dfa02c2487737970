/**
 * A shared library of a few hundred bytes, made here because no host has a compiler. QEMU maps a template's memory privately, for which a
 * descriptor that cannot write is enough, but insists on opening the file for writing (before 8.2 there is no way to say otherwise): a
 * hypervisor that was taken over could then change it below all others. Loaded into a hypervisor (`LD_PRELOAD`), the library stands in
 * for `open`: asked for exactly `/proc/self/fd/<descriptor>` it gives back that descriptor, which was opened for reading only; anything
 * else it passes on to the C library. See docs/adr/0090-a-template-that-no-machine-can-change.md.
 */

/** Its name in the folder of a template. */
export const MEMORY_LIBRARY = 'read-only-memory.so';

const PAGE = 0x1000;
const NAMES = ['openat64', 'open64', 'open', '__open64_2'] as const;
/** The one that is the C library's; the others are ours. */
const IMPORTED = 1;

const u16 = (value: number): Buffer => { const bytes = Buffer.alloc(2); bytes.writeUInt16LE(value); return bytes; };
const u32 = (value: number): Buffer => { const bytes = Buffer.alloc(4); bytes.writeInt32LE(value | 0); return bytes; };
const u64 = (value: number): Buffer => { const bytes = Buffer.alloc(8); bytes.writeBigUInt64LE(BigInt(value)); return bytes; };
const align = (value: number, to: number): number => Math.ceil(value / to) * to;

/**
 * `int open(const char *path, int flags, mode_t mode)` in x86-64: compares `path` with the text at `textAt`, byte by byte up to its end;
 * when they are equal the answer is `descriptor`, else `openat64(AT_FDCWD, path, flags, mode)`, whose address is at `slotAt`.
 */
function machineCode(at: number, textAt: number, slotAt: number, descriptor: number): Buffer {
  const parts: Buffer[] = [];
  const here = (): number => at + parts.reduce((sum, part) => sum + part.byteLength, 0);
  const put = (...bytes: number[]): void => { parts.push(Buffer.from(bytes)); };
  put(0xf3, 0x0f, 0x1e, 0xfa); // endbr64
  parts.push(Buffer.concat([Buffer.from([0x48, 0x8d, 0x05]), u32(textAt - (here() + 7))])); // lea rax, [rip + text]
  put(0x31, 0xc9); // xor ecx, ecx
  put(0x44, 0x8a, 0x04, 0x0f); // loop: mov r8b, [rdi + rcx]
  put(0x44, 0x3a, 0x04, 0x08); // cmp r8b, [rax + rcx]
  put(0x75, 0x0d); // jne other
  put(0xff, 0xc1); // inc ecx
  put(0x45, 0x84, 0xc0); // test r8b, r8b
  put(0x75, 0xef); // jne loop
  parts.push(Buffer.concat([Buffer.from([0xb8]), u32(descriptor)])); // mov eax, descriptor
  put(0xc3); // ret
  put(0x89, 0xd1); // other: mov ecx, edx
  put(0x89, 0xf2); // mov edx, esi
  put(0x48, 0x89, 0xfe); // mov rsi, rdi
  put(0xbf, 0x9c, 0xff, 0xff, 0xff); // mov edi, AT_FDCWD
  put(0x31, 0xc0); // xor eax, eax
  parts.push(Buffer.concat([Buffer.from([0xff, 0x25]), u32(slotAt - (here() + 6))])); // jmp [rip + slot]
  return Buffer.concat(parts);
}

/** Where things are in the file; every address is the offset, as the file is loaded at zero plus wherever the loader puts it. */
function layout(codeLength: number, strings: Buffer, text: Buffer): { readonly hash: number; readonly symbols: number; readonly strings: number; readonly relocations: number; readonly text: number; readonly code: number; readonly end: number; readonly dynamic: number; readonly slot: number } {
  const hash = 64 + 4 * 56;
  const symbols = align(hash + 4 * (2 + 1 + NAMES.length + 1), 8);
  const stringsAt = symbols + 24 * (NAMES.length + 1);
  const relocations = align(stringsAt + strings.byteLength, 8);
  const textAt = relocations + 24;
  const code = align(textAt + text.byteLength, 16);
  return { hash, symbols, strings: stringsAt, relocations, text: textAt, code, end: code + codeLength, dynamic: PAGE, slot: PAGE + 16 * 9 };
}

/** The library's bytes, for a descriptor number of a hypervisor. x86-64 and glibc only, like all of Vessel's hosts. */
export function readOnlyMemoryLibrary(descriptor: number): Buffer {
  const strings = Buffer.from(`\0${NAMES.join('\0')}\0`, 'latin1');
  const text = Buffer.from(`/proc/self/fd/${descriptor}\0`, 'latin1');
  const at = layout(machineCode(0, 0, 0, descriptor).byteLength, strings, text);
  const code = machineCode(at.code, at.text, at.slot, descriptor);
  const file = Buffer.alloc(at.slot + 8);
  const place = (offset: number, ...parts: readonly Buffer[]): void => { Buffer.concat(parts).copy(file, offset); };

  // ELF header: 64-bit, little endian, ET_DYN, EM_X86_64; no sections, which only linkers and debuggers need.
  place(0, Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]), Buffer.alloc(9), u16(3), u16(62), u32(1), u64(0), u64(64), u64(0), u32(0), u16(64), u16(56), u16(4), u16(64), u16(0), u16(0));
  const header = (type: number, flags: number, offset: number, size: number, alignment: number): Buffer => Buffer.concat([u32(type), u32(flags), u64(offset), u64(offset), u64(offset), u64(size), u64(size), u64(alignment)]);
  const [LOAD, DYNAMIC, GNU_STACK, R, W, X] = [1, 2, 0x6474e551, 4, 2, 1];
  const dynamicSize = 16 * 9;
  place(64, header(LOAD, R | X, 0, at.end, PAGE), header(LOAD, R | W, at.dynamic, dynamicSize + 8, PAGE), header(DYNAMIC, R | W, at.dynamic, dynamicSize, 8), header(GNU_STACK, R | W, 0, 0, 16));

  // One bucket: the chain of all symbols of ours.
  const count = NAMES.length + 1;
  const chain = Array.from({ length: count }, (_, index) => u32(index > IMPORTED && index + 1 < count ? index + 1 : 0));
  place(at.hash, u32(1), u32(count), u32(IMPORTED + 1), ...chain);
  let nameAt = 1;
  place(at.symbols, Buffer.alloc(24), ...NAMES.map((name, index) => {
    const own = index + 1 > IMPORTED;
    // GLOBAL FUNC; the section of ours is any that exists (SHN_ABS would not be relocated).
    const symbol = Buffer.concat([u32(nameAt), Buffer.from([0x12, 0]), u16(own ? 1 : 0), u64(own ? at.code : 0), u64(own ? code.byteLength : 0)]);
    nameAt += name.length + 1;
    return symbol;
  }));
  place(at.strings, strings);
  // R_X86_64_GLOB_DAT: the loader writes the address of openat64 into the slot.
  place(at.relocations, u64(at.slot), u32(6), u32(IMPORTED), u64(0));
  place(at.text, text);
  place(at.code, code);
  const entries: readonly (readonly [number, number])[] = [[4, at.hash], [5, at.strings], [6, at.symbols], [10, strings.byteLength], [11, 24], [7, at.relocations], [8, 24], [9, 24], [0, 0]];
  place(at.dynamic, ...entries.flatMap(([tag, value]) => [u64(tag), u64(value)]));
  return file;
}
