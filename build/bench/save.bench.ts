// Saving a tree of 6,000 files and 60 MB out of a running guest: read, compress, hash, write, read back, compare, flip.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeTree } from '../e2e/tree.ts';
import { endHome } from '../e2e/home.ts';
import { finish, startVessel } from '../e2e/vessel.ts';
import { note, rounds } from './host.ts';
import { repeat, stats, timed } from './stats.ts';

const vessel = await startVessel();
const scratch = await mkdtemp(join(tmpdir(), 'vsl-bench-tree-'));
try {
  const tree = join(scratch, 'tree');
  await makeTree(tree);
  const { projectId, operationId } = await vessel.client.call('projects.import', { path: tree, name: 'tree' });
  const imported = await timed(() => finish(vessel.client, operationId));
  const opened = await timed(async () => finish(vessel.client, (await vessel.client.call('environments.open', { projectId })).operationId));
  note(`imported in ${Math.round(imported.ms)} ms, opened in ${Math.round(opened.ms)} ms`);
  const touch = async (round: number): Promise<void> => {
    for await (const item of vessel.client.stream('exec.run', { projectId, argv: ['sh', '-c', `echo ${round} > changed.txt`] })) {
      if (item.kind === 'exit' && item.code !== 0) throw new Error('the change was not made');
    }
  };
  const sample: number[] = [];
  let last: unknown = null;
  for (let round = 0; round < rounds(); round += 1) {
    await touch(round);
    const [ms] = await repeat(1, async () => { last = (await finish(vessel.client, (await vessel.client.call('environments.save', { projectId })).operationId)).operation.result; });
    sample.push(ms ?? Number.NaN);
    note(`save ${Math.round(ms ?? 0)} ms`);
  }
  const closed = await timed(async () => finish(vessel.client, (await vessel.client.call('environments.close', { projectId })).operationId));
  process.stdout.write(`${JSON.stringify({ importMs: Math.round(imported.ms), openMs: Math.round(opened.ms), saveMs: stats(sample), closeUnchangedMs: Math.round(closed.ms), last: (last as { archive: unknown }).archive })}\n`);
} finally {
  await vessel.stop();
  await endHome(vessel.home);
  await rm(scratch, { recursive: true, force: true });
}
