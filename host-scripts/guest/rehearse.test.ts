import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { smallZip } from './rehearse.ts';

it('makes a zip that other programs read', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vessel-zip-'));
  try {
    const file = join(folder, 'small.zip');
    writeFileSync(file, smallZip([{ path: 'a.txt', content: 'one\n' }, { path: 'b/ü.txt', content: 'two\n'.repeat(100) }]));
    const script = 'import sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print(*(f"{i.filename}:{i.file_size}" for i in z.infolist()))';
    expect(execFileSync('python3', ['-c', script, file], { encoding: 'utf8', env: { ...process.env, PYTHONIOENCODING: 'utf-8' } }).trim()).toBe('a.txt:4 b/ü.txt:400');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
