import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

describe('core', () => {
  it.each(['electron/core/create-core.ts', 'electron/server/main.ts', 'electron/cli/main.ts', 'host-scripts/infra-agent/main.ts'])('never reaches electron from %s, statically or later', async (entry) => {
    const { metafile } = await build({ entryPoints: [join(ROOT, entry)], absWorkingDir: ROOT, bundle: true, write: false, metafile: true, platform: 'node', format: 'esm', packages: 'external', logLevel: 'silent' });
    const asked = Object.entries(metafile.inputs).flatMap(([file, input]) => input.imports.filter(({ path }) => /^electron($|\/)/.test(path) && !path.startsWith('electron/')).map(({ path }) => `${file} → ${path}`));
    expect(asked).toEqual([]);
    expect(Object.keys(metafile.inputs).filter((file) => /^electron\/(main|preload)\//.test(file))).toEqual([]);
  });

  it('runs from its sources under plain Node', () => {
    const home = mkdtempSync(join(tmpdir(), 'vessel-core-'));
    try {
      const text = execFileSync(process.execPath, [fileURLToPath(new URL('./run-core.mjs', import.meta.url)), home], { encoding: 'utf8', cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
      const answer = JSON.parse(text) as { readonly projects: readonly unknown[]; readonly electron: string | null; readonly modules: number };
      expect(answer.electron).toBeNull();
      expect(answer.projects).toEqual([]);
      expect(answer.modules).toBeGreaterThan(10);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });
});
