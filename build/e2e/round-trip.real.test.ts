import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fingerprintTree, fingerprintZip, makeTree, type Fingerprint } from './tree.ts';
import { endHome } from './home.ts';
import { finish, processesOf, startVessel, type RunningVessel } from './vessel.ts';

describe('a tree of 6,000 files and 60 MB', () => {
  let vessel: RunningVessel;
  let scratch: string;
  beforeAll(async () => {
    vessel = await startVessel();
    scratch = await mkdtemp(join(tmpdir(), 'vsl-tree-'));
  });
  afterAll(async () => {
    await vessel.stop();
    await endHome(vessel.home);
    await rm(scratch, { recursive: true, force: true });
  });

  it('goes into a microVM and comes out identical: links, modes, empty folders, odd names, times', async () => {
    const source = join(scratch, 'tree');
    await makeTree(source);
    const before = await fingerprintTree(source);
    expect([...before.values()].filter((entry) => entry.kind === 'file').length).toBeGreaterThanOrEqual(6_000);

    const { projectId, operationId } = await vessel.client.call('projects.import', { path: source, name: 'tree' });
    await finish(vessel.client, operationId);
    await finish(vessel.client, (await vessel.client.call('environments.open', { projectId })).operationId);
    // One change, so that the save cannot take the shortcut of an unchanged workspace.
    for await (const item of vessel.client.stream('exec.run', { projectId, argv: ['sh', '-c', 'echo proof > proof.txt'] })) {
      if (item.kind === 'exit') expect(item.code).toBe(0);
    }
    const closed = await finish(vessel.client, (await vessel.client.call('environments.close', { projectId })).operationId);
    expect(closed.operation.result).toMatchObject({ changed: true });

    const out = join(scratch, 'out.zip');
    await vessel.client.call('history.export', { projectId, path: out });
    const after = new Map<string, Fingerprint>(await fingerprintZip(out));
    expect(after.get('proof.txt')).toMatchObject({ kind: 'file', bytes: 6 });
    after.delete('proof.txt');
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
    const different = [...before].filter(([path, entry]) => JSON.stringify(entry) !== JSON.stringify(after.get(path)));
    expect(different.map(([path, entry]) => ({ path, before: entry, after: after.get(path) }))).toEqual([]);
    expect(await processesOf(vessel.home).then((all) => all.filter((line) => line.includes('qemu') || line.includes('passt')))).toEqual([]);
  });
});
