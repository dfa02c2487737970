import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeUnless } from '../../../../../build/testing/describe-unless.ts';
import { DesktopParts, type DesktopPartsOptions } from './desktop-parts.ts';

const KEY = 'k'.repeat(8);
const debian = (version: string): { readonly os: { readonly id: string; readonly version: string; readonly name: string } } => ({ os: { id: 'debian', version, name: `Debian ${version}` } });
const architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

describeUnless(process.platform === 'linux' ? null : 'a host gets the Node of a Linux desktop', 'what this computer can send to a host', () => {
  let folder = '';
  const parts = (change: Partial<DesktopPartsOptions> = {}): DesktopParts => new DesktopParts({ cache: folder, agentCommand: ['/nonexistent', join(folder, 'agent.mjs')], version: '1.0.0', imageKey: () => Promise.resolve(KEY), env: {}, ...change });
  const program = (name: string, prints: string): string => {
    writeFileSync(join(folder, name), `#!/bin/sh\necho '${prints}'\n`, { mode: 0o755 });
    return join(folder, name);
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vparts-'));
    mkdirSync(join(folder, 'images', KEY, 'ide-static'), { recursive: true });
    writeFileSync(join(folder, 'images', KEY, 'root.img'), 'root');
    writeFileSync(join(folder, 'images', KEY, 'image.json'), JSON.stringify({ key: KEY, buildId: 'build-id-1', bytes: 1_000_000, distribution: { id: 'debian', suite: 'bookworm' } }));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is no Node for another processor, and none that is Electron or too old', async () => {
    await expect(parts().node({ architecture: 'riscv64' })).rejects.toThrow(expect.objectContaining({ code: 'HOST_UNSUPPORTED', hint: expect.stringContaining('VESSEL_HOST_NODE') as unknown }));
    const named = parts({ agentCommand: [program('electron', ''), 'x'], env: { VESSEL_HOST_NODE: program('old', '18.20.4') } });
    // Where the system has a Node that would do, that one is taken; never one of those two.
    const found = await named.node({ architecture }).then(({ version }) => version, (error: unknown) => (error as { readonly code: string }).code);
    expect(found).toMatch(/^(HOST_UNSUPPORTED|2[4-9]\..*)$/);
  });

  it('is a Node, packed so that gzip opens it', async () => {
    const path = program('node', '24.9.0');
    const node = await parts({ env: { VESSEL_HOST_NODE: path } }).node({ architecture });
    expect(node.version).toBe('24.9.0');
    expect(gunzipSync(readFileSync((await node.pack()).path))).toEqual(readFileSync(path));
  });

  it('is its golden image for the same release only', async () => {
    expect(await parts().image(debian('13'))).toBeNull();
    expect(await parts().image({ os: { id: 'ubuntu', version: '22.04', name: '' } })).toBeNull();
    expect(await parts({ imageKey: () => Promise.resolve(null) }).image(debian('12'))).toBeNull();
    const image = await parts().image(debian('12'));
    const packed = await image?.pack();
    expect(execFileSync('tar', ['-t'], { input: zstdDecompressSync(readFileSync(packed?.path ?? '')), encoding: 'utf8' }).split('\n').sort()).toEqual(['', './', './ide-static/', './image.json', './root.img']);
    // Only the newest image is kept packed.
    writeFileSync(join(folder, 'images', KEY, 'image.json'), JSON.stringify({ key: KEY, buildId: 'another-build', bytes: 1, distribution: { id: 'debian', suite: 'bookworm' } }));
    await (await parts().image(debian('12')))?.pack();
    expect(readdirSync(join(folder, 'outgoing')).sort()).toEqual([`image-${KEY}-another-.tar.zst`, `image-${KEY}-another-.tar.zst.json`]);
  });

  it('is an agent only where it was built', async () => {
    await expect(parts().agent()).rejects.toThrow(expect.objectContaining({ code: 'INTERNAL', hint: expect.stringContaining('npm run build') as unknown }));
    writeFileSync(join(folder, 'agent.mjs'), 'agent');
    expect(await parts().agent()).toMatchObject({ bytes: 5 });
  });
});
