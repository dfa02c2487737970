import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { extractArchive } from './extract.ts';
import { saveWorkspace } from './save.ts';
import { scanWorkspace } from './scan.ts';

/** Enough for V8 to compile the hot loops: it optimises after some hundred rounds. */
const FOLDERS = 12;
const FILES_PER_FOLDER = 20;
const ROUNDS = 3;
const FILE_BYTES = 3000;
const OWNER = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

/** Saves and unpacks a small made-up tree a few times, so that a frozen template has this code compiled. Leaves nothing behind. */
export async function warmUp(): Promise<void> {
  const base = mkdtempSync(join(tmpdir(), 'vessel-warm-'));
  try {
    const source = join(base, 'source');
    mkdirSync(source);
    for (let folder = 0; folder < FOLDERS; folder += 1) {
      const path = join(source, `folder-${folder}`);
      mkdirSync(path);
      for (let file = 0; file < FILES_PER_FOLDER; file += 1) writeFileSync(join(path, `file-${file}.txt`), Buffer.alloc(FILE_BYTES, folder * file));
    }
    symlinkSync('folder-0', join(source, 'link'));
    writeFileSync(join(source, '.vesselignore'), '*.log\n/secret/\n');
    const config = { preset: 'safe', rules: ['*.tmp'] } as const;
    for (let round = 0; round < ROUNDS; round += 1) {
      const archive = join(base, `archive-${round}.zip`);
      const target = join(base, `target-${round}`);
      const fd = openSync(archive, 'w');
      await saveWorkspace(source, { exclude: { ...config, rules: [...config.rules] }, limits: { maxBytes: 1e9, maxEntries: 1e6 }, owner: OWNER, still: false }, (data) => { writeSync(fd, data); });
      closeSync(fd);
      mkdirSync(target);
      await extractArchive(archive, target, { maxBytes: 1e9, maxEntries: 1e6, links: round % 2 === 0 ? 'keep' : 'refuse', owner: OWNER });
      scanWorkspace(target, { ...config, rules: [] }, true);
      const packed = deflateRawSync(Buffer.alloc(FILE_BYTES, 'vessel'));
      for (let file = 0; file < FILES_PER_FOLDER * FOLDERS; file += 1) inflateRawSync(packed, { maxOutputLength: FILE_BYTES, chunkSize: FILE_BYTES });
    }
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}
