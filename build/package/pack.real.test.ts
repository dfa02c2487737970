import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NOTICES, packagesOfSourceMap } from '../lib/notices.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const { listPackage } = createRequire(import.meta.url)('@electron/asar') as { readonly listPackage: (path: string, options: { readonly isPack: boolean }) => string[] };
/** @electron/fuses looks for this mark in the program and writes the switches behind it: version 1, nine switches. */
const FUSES = Buffer.concat([Buffer.from('dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX'), Buffer.from([1, 9]), Buffer.from('1'.repeat(9))]);

let folder: string;
let resources: string;

/** The least that electron-builder takes for an unpacked Electron. */
function fakeElectron(path: string): string {
  mkdirSync(join(path, 'locales'), { recursive: true });
  for (const file of ['LICENSE', 'LICENSES.chromium.html', 'resources.pak', 'locales/en-US.pak']) writeFileSync(join(path, file), '');
  writeFileSync(join(path, 'version'), '45.4.1');
  writeFileSync(join(path, 'electron'), Buffer.concat([Buffer.from('#!/bin/sh\n'), Buffer.alloc(16), FUSES, Buffer.alloc(64)]));
  chmodSync(join(path, 'electron'), 0o755);
  return path;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vessel-pack-'));
  const dist = fakeElectron(join(folder, 'electron'));
  execFileSync(process.execPath, [join(ROOT, 'node_modules', 'electron-builder', 'cli.js'), '--dir', '--linux', `-c.electronDist=${dist}`, `-c.directories.output=${join(folder, 'dist')}`], { cwd: ROOT, stdio: 'pipe' });
  resources = join(folder, 'dist', 'linux-unpacked', 'resources');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the packed app', () => {
  it('holds what runs and nothing else', () => {
    const files = listPackage(join(resources, 'app.asar'), { isPack: false });
    for (const needed of ['/package.json', '/out/main/index.js', '/out/preload/index.cjs', '/out/renderer/index.html', '/out/renderer/tray.png', '/out/server/main.mjs', '/out/cli/main.mjs', '/out/host/infra-agent.mjs']) expect(files).toContain(needed);
    const foreign = files.filter((file) => !/^\/(package\.json|out(\/(main|preload|renderer|server|cli|host)(\/.*)?)?)$/.test(file));
    expect(foreign).toEqual([]);
    expect(files.filter((file) => /\.(map|ts|tsx|test\.\w+)$|node_modules|\.env|\.pem|secret|\.git/.test(file))).toEqual([]);
  });

  it('keeps what other processes run or read outside of the archive', () => {
    for (const file of ['package.json', 'out/server/main.mjs', 'out/host/infra-agent.mjs', 'out/cli/main.mjs', 'out/renderer/index.html']) expect(existsSync(join(resources, 'app.asar.unpacked', file)), file).toBe(true);
  });

  it('carries the license of every package inside', () => {
    const files = listPackage(join(resources, 'app.asar'), { isPack: false });
    for (const part of ['main', 'preload', 'renderer', 'server', 'cli', 'host']) expect(files).toContain(`/out/${part}/${NOTICES}`);
    const unpacked = (part: string): string => readFileSync(join(resources, 'app.asar.unpacked', 'out', part, NOTICES), 'utf8');
    // What the bundler mapped is told apart from what it listed for the notices.
    for (const [part, map] of [['server', 'program'], ['cli', 'main']] as const) {
      const packages = packagesOfSourceMap(join(ROOT, 'out', part, `${map}.mjs.map`));
      expect(packages).toContain('zod');
      for (const name of packages) expect(unpacked(part)).toMatch(new RegExp(`^${name} \\d\\S* \\(.+\\)$`, 'm'));
    }
    for (const name of ['react', 'react-dom', 'monaco-editor', 'tailwindcss', 'lucide-react']) expect(unpacked('renderer')).toMatch(new RegExp(`^${name} \\d`, 'm'));
    expect(unpacked('host')).toMatch(/^ws \d/m);
  });

  it('carries no path of the machine it was built on and no secret', () => {
    for (const file of ['out/server/main.mjs', 'out/host/infra-agent.mjs', 'out/cli/main.mjs', 'package.json']) {
      const text = readFileSync(join(resources, 'app.asar.unpacked', file), 'utf8');
      expect(text.includes(ROOT), file).toBe(false);
      expect(text).not.toMatch(/-----BEGIN [A-Z ]*PRIVATE KEY-----\n/);
    }
  });

  it('has its fuses set in the program itself', () => {
    const program = readFileSync(join(folder, 'dist', 'linux-unpacked', 'vessel'));
    const switches = program.subarray(program.indexOf(FUSES.subarray(0, -9)) + FUSES.length - 9).toString('latin1', 0, 9);
    // In the order of @electron/fuses; the ninth is newer than the packager and stays as Electron is built.
    expect(switches).toBe('110011001');
  });

  it('runs its unpacked agent with plain Node', () => {
    const text = execFileSync(process.execPath, [join(resources, 'app.asar.unpacked', 'out', 'host', 'infra-agent.mjs'), '--help'], { encoding: 'utf8', env: { ...process.env, VESSEL_HOME: join(folder, 'home') } });
    expect(text).toMatch(/provision/);
  });
});
