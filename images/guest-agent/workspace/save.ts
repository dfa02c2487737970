import { lstatSync, readlinkSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { ExcludeConfig, LeftOut } from '#shared/archive-rules.ts';
import type { FolderExcluder } from '#shared/exclude/excluder.ts';
import { VesselError } from '#shared/vessel-error.ts';
import { errnoOf, messageOf } from '../log.ts';
import { LOST_AND_FOUND } from './extract.ts';
import { FileReader } from './file-content.ts';
import { childNames, listFolder, type FolderEntry } from './folder-list.ts';
import { joinRaw, showPath, type RawPath } from './paths.ts';
import { ZipWriter } from './zip-writer.ts';

export type SaveResult = {
  readonly entries: number;
  readonly files: number;
  readonly contentBytes: number;
  readonly leftOut: readonly LeftOut[];
  readonly changedWhileReading: readonly string[];
  /** What a person should know besides, once each. */
  readonly warnings: readonly string[];
  /** Size of the archive in bytes: the reader of the stream knows when it has all. */
  readonly archiveBytes: number;
  /** Tells two listings apart: names, sizes, times, inodes. Only comparable within one guest. */
  readonly fingerprint: number;
};

const SPECIAL_KINDS: readonly (readonly [number, string])[] = [[0o140000, 'a socket'], [0o010000, 'a named pipe'], [0o060000, 'a block device'], [0o020000, 'a character device']];

/** Streams the workspace as a stored zip into `sink`, in a fixed order. Throws when `sink` does, CONFLICT, DISK_FULL. */
class Saver {
  readonly #config: ExcludeConfig;
  readonly #writer: ZipWriter;
  readonly #reader: FileReader;
  readonly #leftOut: LeftOut[] = [];
  readonly #changed: string[] = [];
  readonly #warnings = new Set<string>();
  #entries = 0;
  #files = 0;
  #contentBytes = 0;
  #fingerprint = 0;

  constructor(config: ExcludeConfig, still: boolean, sink: (data: Buffer) => void) {
    this.#config = config;
    this.#reader = new FileReader(still);
    this.#writer = new ZipWriter(sink);
  }

  run(root: string): SaveResult {
    this.#folder(root, '', null);
    const archiveBytes = this.#writer.finish();
    return {
      entries: this.#entries, files: this.#files, contentBytes: this.#contentBytes, leftOut: this.#leftOut,
      changedWhileReading: this.#changed, warnings: [...this.#warnings], archiveBytes, fingerprint: this.#fingerprint,
    };
  }

  #note(stat: { readonly size: number; readonly mtimeMs: number; readonly ctimeMs: number; readonly ino: number; readonly mode: number }, name: RawPath): void {
    this.#fingerprint = crc32(`${showPath(name)}\0${stat.size} ${stat.mtimeMs} ${stat.ctimeMs} ${stat.ino} ${stat.mode}`, this.#fingerprint);
  }

  /** Runs one step on a path: a thing that vanished meanwhile is passed over, one that cannot be read is reported. */
  #guard(relative: RawPath, isFolder: boolean, step: () => void): void {
    try {
      step();
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'ENOENT' || errno === 'ENOTDIR') return;
      if (errno !== 'EACCES' && errno !== 'EPERM' && errno !== 'EIO' && errno !== 'ELOOP' && errno !== 'ENXIO') throw error;
      this.#leftOut.push({ path: `${showPath(relative)}${isFolder ? '/' : ''}`, reason: `cannot be read (${errno})` });
    }
  }

  #folder(path: RawPath, relative: RawPath, parent: FolderExcluder | null): void {
    const { entries, excluder } = listFolder(path, showPath(relative), parent, this.#config);
    for (const entry of entries) {
      if (parent === null && entry.name === LOST_AND_FOUND) continue;
      const inner = joinRaw(path, entry.name);
      const innerRelative = joinRaw(relative, entry.name);
      const decision = excluder.decide({ name: showPath(entry.name), kind: entry.kind, childNames: () => childNames(inner) });
      if (decision.report !== null) this.#leftOut.push({ path: `${showPath(innerRelative)}${entry.kind === 'dir' ? '/' : ''}`, reason: decision.report });
      if (decision.warning !== null) this.#warnings.add(decision.warning);
      if (!decision.keep) continue;
      this.#guard(innerRelative, entry.kind === 'dir', () => this.#entry(entry, inner, innerRelative, excluder));
    }
  }

  #entry(entry: FolderEntry, path: RawPath, relative: RawPath, excluder: FolderExcluder): void {
    switch (entry.kind) {
      case 'dir': {
        const stat = lstatSync(path);
        this.#writer.entry({ name: joinRaw(relative, ''), size: 0, crc: 0, mode: stat.mode, mtimeMs: stat.mtimeMs });
        this.#note(stat, relative);
        this.#entries += 1;
        this.#folder(path, relative, excluder);
        return;
      }
      case 'link': {
        const stat = lstatSync(path);
        const target = readlinkSync(path, 'buffer');
        this.#writer.entry({ name: relative, size: target.length, crc: crc32(target), mode: stat.mode, mtimeMs: stat.mtimeMs });
        this.#writer.content(target);
        this.#note(stat, relative);
        this.#entries += 1;
        return;
      }
      case 'file':
        this.#file(path, relative);
        return;
      case 'other': {
        const type = lstatSync(path).mode & 0o170000;
        this.#leftOut.push({ path: showPath(relative), reason: `${SPECIAL_KINDS.find(([bits]) => bits === type)?.[1] ?? 'a special file'} cannot be kept` });
        return;
      }
      default:
        entry.kind satisfies never;
    }
  }

  #file(path: RawPath, relative: RawPath): void {
    this.#reader.withFile(path, (file) => {
      this.#writer.entry({ name: relative, size: file.size, crc: file.crc, mode: file.stat.mode, mtimeMs: file.stat.mtimeMs });
      try {
        file.stream((data) => this.#writer.content(data));
      } catch (error) {
        // Its header is out: nothing but the end of this archive can follow, whatever went wrong.
        throw error instanceof VesselError ? error : new VesselError('INTERNAL', `${showPath(relative)}: ${messageOf(error)}`, { cause: error });
      }
      this.#note(file.stat, relative);
      if (file.changed) this.#changed.push(showPath(relative));
      this.#entries += 1;
      this.#files += 1;
      this.#contentBytes += file.size;
    });
  }
}

/** Streams the workspace `root` into `sink`, which must take all bytes before it returns. `still`: nothing can change meanwhile, and nothing is written anywhere. See {@link Saver}. */
export function saveWorkspace(root: string, config: ExcludeConfig, still: boolean, sink: (data: Buffer) => void): SaveResult {
  return new Saver(config, still, sink).run(root);
}
